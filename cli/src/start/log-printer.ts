import pc from 'picocolors';

const COLORS = [pc.cyan, pc.magenta, pc.yellow, pc.blue, pc.green, pc.cyanBright, pc.magentaBright, pc.yellowBright];

/** Prints each line behind the name of the process that said it, each name in a colour of its own. */
export function logPrinter(print: (line: string) => void = console.log): (process: string, line: string) => void {
  const seen = new Map<string, (text: string) => string>();
  return (process, line) => {
    const color = seen.get(process) ?? COLORS[seen.size % COLORS.length] ?? pc.white;
    seen.set(process, color);
    print(`${color(process.padEnd(14))} ${line}`);
  };
}
