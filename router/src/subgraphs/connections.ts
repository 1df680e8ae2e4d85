import type { SharedUpstream } from '../subscriptions/shared-upstream.ts';
import type { SubgraphTransport } from './subgraph-transport.ts';

export interface SubgraphAddress {
  name: string;
  url: string;
}

/** The connections of one generation of the supergraph, by the name of the subgraph. */
export interface ConnectionLease {
  calls: ReadonlyMap<string, SubgraphTransport>;
  streams: ReadonlyMap<string, SharedUpstream>;
  /** Closes those that no other lease holds. */
  release(): Promise<void>;
}

export interface Connections {
  /** @throws TypeError where an address is no URL */
  lease(subgraphs: readonly SubgraphAddress[]): ConnectionLease;
}

interface Connection {
  call: SubgraphTransport;
  stream: SharedUpstream;
  leases: number;
}

/**
 * Connections that outlive a supergraph: a subgraph that is in the next one by the same name and at the same
 * address keeps its pool and its websocket.
 */
export function createConnections(make: {
  call: (subgraph: SubgraphAddress) => SubgraphTransport;
  stream: (subgraph: SubgraphAddress) => SharedUpstream;
}): Connections {
  const connections = new Map<string, Connection>();

  function connect(subgraph: SubgraphAddress): Connection {
    const key = keyOf(subgraph);
    let connection = connections.get(key);
    if (connection === undefined) {
      connection = { call: make.call(subgraph), stream: make.stream(subgraph), leases: 0 };
      connections.set(key, connection);
    }
    return connection;
  }

  return {
    lease(subgraphs) {
      const leased = subgraphs.map((subgraph) => ({ subgraph, connection: connect(subgraph) }));
      for (const { connection } of leased) connection.leases += 1;
      return {
        calls: new Map(leased.map(({ subgraph, connection }) => [subgraph.name, connection.call])),
        streams: new Map(leased.map(({ subgraph, connection }) => [subgraph.name, connection.stream])),
        async release() {
          const unused = leased.splice(0).filter(({ connection }) => (connection.leases -= 1) === 0);
          for (const { subgraph } of unused) connections.delete(keyOf(subgraph));
          await Promise.all(unused.flatMap(({ connection: { call, stream } }) => [stream.close(), call.close()]));
        },
      };
    },
  };
}

function keyOf({ name, url }: SubgraphAddress): string {
  return `${name}\n${url}`;
}
