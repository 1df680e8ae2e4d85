import { CommandError, runCommand } from '../run-command.ts';
import { countOf } from './count-of.ts';
import { requireTwoCores } from './pinned-process.ts';
import { CONTESTANTS } from './router/contestants.ts';
import { GRAPHS } from './router/graphs.ts';
import { installPeers } from './router/install-peers.ts';
import { measureGraph } from './router/measure-graph.ts';
import { requireWrk } from './wrk.ts';

/** `npm run bench -- router`: our router beside its peers, all on the same two cores. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- router [--rounds N] [--seconds S] [--connections C] [--only NAMES] [--query flat|deep] [--profile]

Two queries with a variable that no request repeats, through our router with all its policies on, through other gateways and
through fetches written by hand, the floor. One core for the gateway, the other for the load (wrk) and the subgraphs; after a
warm round each, the measured ones take turns, and the median of them is printed. CPU is user and system time of the gateway's
processes by requests: of all columns the one that another program on the machine disturbs least.

  --rounds N        measured rounds of each, default 3
  --seconds S       of each round, default 5
  --connections C   requests under way at once, default 32
  --only NAMES      of ${CONTESTANTS.join(',')}; the floor always runs
  --query NAME      flat or deep, default both
  --profile         also prints where our router's CPU time went; its rounds are slower for it`,
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '32' },
      only: { type: 'string', default: CONTESTANTS.join(',') },
      query: { type: 'string', default: '' },
      profile: { type: 'boolean', default: false },
    },
    run: async (values) => {
      const wanted = new Set(values.only.split(','));
      const plan = {
        rounds: countOf('rounds', values.rounds),
        seconds: countOf('seconds', values.seconds),
        connections: countOf('connections', values.connections),
        names: CONTESTANTS.filter((name) => name === 'floor' || wanted.has(name)),
        profile: values.profile,
      };
      const graphs = GRAPHS.filter(({ name }) => values.query === '' || name === values.query);
      const known = new Set<string>(CONTESTANTS);
      const unknown = [...wanted].filter((name) => !known.has(name));
      if (unknown.length > 0) throw new CommandError(`There is no ${unknown.join(', ')}.`, 2);
      if (graphs.length === 0) throw new CommandError(`There is no query '${values.query}'.`, 2);
      requireTwoCores();
      requireWrk();
      const folder = await installPeers();
      for (const graph of graphs) await measureGraph(graph, folder, plan);
    },
  });
}
