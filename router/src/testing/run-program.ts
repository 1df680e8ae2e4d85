import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Program {
  url: string;
  process: ChildProcess;
  output: () => string;
  /** Resolves when the program has printed the text. */
  printed(text: string): Promise<void>;
  /** SIGTERM and its exit code. */
  stop(): Promise<number | null>;
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Starts the router as a program. Resolves when it listens, or rejects with what it printed. */
export async function runProgram(args: string[], env: Record<string, string> = {}): Promise<Program> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], ...env } });
  let output = '';
  const exited = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    const read = (part: Buffer) => {
      output += part.toString();
      const listening = /"url":"(?<url>[^"]+)"/.exec(output)?.groups?.['url'];
      if (listening !== undefined) resolve(listening);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void exited.then(([code]) => reject(new Error(`exit ${String(code)}: ${output}`)));
  });
  return {
    url,
    process: child,
    output: () => output,
    async printed(text) {
      while (!output.includes(text)) await once(child.stdout, 'data');
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      return typeof code === 'number' ? code : null;
    },
  };
}
