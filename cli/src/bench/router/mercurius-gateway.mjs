// Mercurius has no use for a supergraph: it takes the subgraphs' schemas, in which every `Query` must be an extension.
import mercuriusGateway from '@mercuriusjs/gateway';
import Fastify from 'fastify';
import { GRAPHS } from './bench-graphs.mjs';

const base = Number(process.env.SUBGRAPHS_PORT);
const app = Fastify();
await app.register(mercuriusGateway, {
  jit: 1,
  gateway: {
    services: Object.entries(GRAPHS[process.env.GRAPH]).map(([name, sdl], index) => ({
      name,
      url: `http://127.0.0.1:${base + index}/graphql`,
      schema: sdl.replace('type Query', 'extend type Query'),
      mandatory: true,
    })),
  },
});
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
