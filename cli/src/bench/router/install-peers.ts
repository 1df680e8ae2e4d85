import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { CommandError } from '../../run-command.ts';

/** What is compared with, and what its subgraphs need; outside the lockfile, so that nobody installs it who does not compare. */
const PEERS = {
  '@apollo/gateway': '2.14.4',
  '@apollo/server': '5.5.1',
  // The last whose `buildSubgraphSchema` takes the form in which the subgraphs give their resolvers.
  '@apollo/subgraph': '2.14.4',
  '@graphql-hive/gateway': '2.15.1',
  '@graphql-hive/router-runtime': '1.4.23',
  '@mercuriusjs/gateway': '5.2.0',
  fastify: '5.12.8',
  // The last with which Mercurius' gateway can print what it asks its subgraphs.
  graphql: '16.14.2',
  'graphql-jit': '0.8.9',
  mercurius: '16.10.1',
  undici: '8.12.4',
};

const HERE = fileURLToPath(new URL('.', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../../../.timbre/bench/router-peers/', import.meta.url));
const DONE = 'installed.json';

/**
 * Installs the peers where they are not yet, and puts the programs that use them beside them, where Node finds them.
 *
 * @returns the folder
 */
export async function installPeers(): Promise<string> {
  await mkdir(FOLDER, { recursive: true });
  const manifest = JSON.stringify({ private: true, dependencies: PEERS }, null, 2);
  const installed = await readFile(join(FOLDER, DONE), 'utf8').catch(() => null);
  if (installed !== manifest) {
    console.error(`Installing the peers into ${FOLDER} (700 MB, about two minutes, once)…`);
    await writeFile(join(FOLDER, 'package.json'), manifest);
    await npmInstall();
    await writeFile(join(FOLDER, DONE), manifest);
  }
  const programs = (await readdir(HERE)).filter((name) => name.endsWith('.mjs'));
  await Promise.all(programs.map((name) => copyFile(join(HERE, name), join(FOLDER, name))));
  return FOLDER;
}

async function npmInstall(): Promise<void> {
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const child = spawn('npm', args, { cwd: FOLDER, stdio: ['ignore', 'ignore', 'pipe'] });
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new CommandError(`The peers could not be installed:\n${errors}`);
}
