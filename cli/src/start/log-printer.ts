import pc from 'picocolors';
import { prettyFactory } from 'pino-pretty';

const COLORS = [pc.cyan, pc.magenta, pc.yellow, pc.blue, pc.green, pc.cyanBright, pc.magentaBright, pc.yellowBright];

/**
 * Prints what the processes say, one line behind the name of who said it, each name in a colour of its own.
 * Their JSON is written out for people; anything else is printed as it is.
 */
export function logPrinter(print: (line: string) => void = console.log): (process: string, line: string) => void {
  const pretty = prettyFactory({
    colorize: pc.isColorSupported,
    ignore: 'pid,hostname,name',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  });
  const colors = new Map<string, (text: string) => string>();
  return (process, line) => {
    const color = colors.get(process) ?? COLORS[colors.size % COLORS.length] ?? pc.white;
    colors.set(process, color);
    const text = line.startsWith('{') ? pretty(line).trimEnd() : line;
    for (const row of text.split('\n')) print(`${color(process.padEnd(14))} ${row}`);
  };
}
