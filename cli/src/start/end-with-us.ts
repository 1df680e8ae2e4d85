import { spawn } from 'node:child_process';

/** Long enough for the services, which notice at the same moment, to finish with the database. */
const GRACE_SECONDS = 5;

/**
 * Ends a process that cannot notice by itself that we are gone, even by kill -9: a shell waits on a pipe that the
 * kernel closes with us, and then interrupts it. Does nothing where there is no `sh`.
 */
export function endWithUs(pid: number, exited: Promise<unknown>): void {
  const script = `read -r _; n=0; while [ $n -lt ${GRACE_SECONDS} ]; do kill -0 "$1" || exit 0; sleep 1; n=$((n + 1)); done; kill -INT "$1"`;
  // In a process group of its own: a Ctrl-C at the terminal is not for it.
  const watch = spawn('sh', ['-c', script, 'timbre-watch', String(pid)], {
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watch.on('error', () => undefined);
  watch.unref();
  void exited.then(() => watch.kill('SIGKILL'));
}
