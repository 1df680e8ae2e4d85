import { parseArgs, type ParseArgsConfig } from 'node:util';

/** An error that a person can act on: printed as its message alone, without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

interface Command<Options extends NonNullable<ParseArgsConfig['options']>> {
  /** Printed by `--help`, and with the complaint about arguments that do not fit. */
  usage: string;
  options: Options;
  allowPositionals?: boolean;
  /** Instead of the process's own. */
  args?: string[];
  run: (
    values: ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true }>>['values'],
    positionals: string[],
  ) => Promise<void>;
}

/** Parses the arguments, answers `--help`, runs, and sets the exit code: 0, 1, or what a CommandError says. */
export async function runCommand<Options extends NonNullable<ParseArgsConfig['options']>>(
  command: Command<Options>,
): Promise<void> {
  const args = command.args ?? process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(`Usage: ${command.usage}`);
    return;
  }
  try {
    const parsed = parse(command, args);
    await command.run(parsed.values, parsed.positionals);
  } catch (error) {
    console.error(describe(error));
    process.exitCode = error instanceof CommandError ? error.exitCode : 1;
  }
}

function parse<Options extends NonNullable<ParseArgsConfig['options']>>(command: Command<Options>, args: string[]) {
  try {
    const { values, positionals } = parseArgs({ args, options: command.options, allowPositionals: true });
    const [surplus] = positionals;
    if (surplus !== undefined && !command.allowPositionals) throw new Error(`Unexpected argument '${surplus}'.`);
    return { values, positionals };
  } catch (error) {
    throw new CommandError(`${error instanceof Error ? error.message : String(error)}\n\nUsage: ${command.usage}`, 2);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = ['CommandError', 'UserErrors', 'GraphError', 'EnvError'].includes(error.name);
  return expected ? error.message : (error.stack ?? error.message);
}
