import { fileURLToPath } from 'node:url';
import { documentsSource } from '@timbre/router/documents/documents-source';
import { manifestOf } from '@timbre/router/documents/operation-manifest';
import { runCommand } from '../run-command.ts';

const OPERATIONS = fileURLToPath(new URL('../../../schema/operations', import.meta.url));

await runCommand({
  usage: `npm run -s documents [-- --from PATH]

Prints the manifest of the client documents in Apollo's format: for generatePersistedQueryIdsFromManifest of
@apollo/persisted-query-lists in a client, and for a router that trusts no others.

  --from PATH   a directory of *.graphql, or one such file (default: schema/operations)`,
  options: { from: { type: 'string' } },
  run: async ({ from = OPERATIONS }) => {
    const text = (await documentsSource(from).read()) ?? '';
    console.log(JSON.stringify(manifestOf(text, 'apollo-client'), null, 2));
  },
});
