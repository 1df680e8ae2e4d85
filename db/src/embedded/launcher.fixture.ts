import { startEmbeddedPostgres } from './start.ts';

/** Starts a server on the directory given, writes its pid and URL, and goes on until it is killed or told to stop. */
const [dataDir = ''] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ dataDir, fsync: false });
process.stdout.write(`${JSON.stringify({ pid: server.pid, url: server.url })}\n`);
process.stdin.on('end', () => void server.stop());
process.stdin.resume();
