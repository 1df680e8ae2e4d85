import { createHash } from 'node:crypto';

export interface LandingPageOptions {
  /** As clients reach it, with the path. */
  graphqlUrl: string;
  /** The command that prints a token; null where everybody is anonymous. */
  tokenCommand: string | null;
}

/** The same for every page, so that a policy can name it by its hash. */
const INLINE_SCRIPT = `
  const { settings } = document.getElementById('sandbox').dataset;
  if (window.EmbeddedSandbox) new window.EmbeddedSandbox(JSON.parse(settings));
`;
export const INLINE_SCRIPT_HASH = `sha256-${createHash('sha256').update(INLINE_SCRIPT).digest('base64')}`;

const SANDBOX_SCRIPT =
  'https://embeddable-sandbox.cdn.apollographql.com/_latest/embeddable-sandbox.umd.production.min.js';

/**
 * Apollo Sandbox on this graph, and beneath it what a person needs without it: the script comes from
 * Apollo's CDN, which not every network reaches.
 */
export function landingPage({ graphqlUrl, tokenCommand }: LandingPageOptions): string {
  const wsUrl = graphqlUrl.replace(/^http/, 'ws');
  const authorization = tokenCommand === null ? '' : ` \\\n  -H "authorization: Bearer $(${tokenCommand})"`;
  const curl = `curl ${graphqlUrl}${authorization} \\\n  -H 'content-type: application/json' \\\n  --data '{"query":"{ __typename }"}'`;
  const token =
    tokenCommand === null
      ? ''
      : `<dt>A token</dt><dd><pre>${escape(tokenCommand)}</pre>Send it as the header <code>Authorization: Bearer …</code>,
         and on a websocket as <code>Authorization</code> in the payload of <code>connection_init</code>.</dd>`;
  const settings = {
    target: '#sandbox',
    initialEndpoint: graphqlUrl,
    initialSubscriptionEndpoint: wsUrl,
    includeCookies: false,
    hideCookieToggle: true,
  };

  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>GraphQL</title>
<style>
  body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
  #sandbox { height: 100vh; } #sandbox:empty { display: none; } #sandbox iframe { border: 0; }
  main { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  pre { background: #8881; padding: .75rem; overflow-x: auto; } dt { font-weight: 600; margin-top: 1rem; } dd { margin: 0; }
</style>
</head>
<body>
<div id="sandbox" data-settings="${escape(JSON.stringify(settings))}"></div>
<main>
  <h1>A GraphQL endpoint</h1>
  <p>Where Apollo Sandbox can be loaded it opens above. Without it, connect like this:</p>
  <dl>
    <dt>Queries and mutations</dt><dd><pre>${escape(graphqlUrl)}</pre></dd>
    <dt>Subscriptions (graphql-transport-ws)</dt><dd><pre>${escape(wsUrl)}</pre></dd>
    ${token}
    <dt>From a terminal</dt><dd><pre>${escape(curl)}</pre></dd>
  </dl>
</main>
<script src="${SANDBOX_SCRIPT}" crossorigin="anonymous"></script>
<script>${INLINE_SCRIPT}</script>
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
