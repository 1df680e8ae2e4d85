import { SettingsError } from '@timbre/platform/env';
import type { EnvSource } from '@timbre/platform/env';
import { isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Scalar } from 'yaml';
import { expandVariables, isExpansion } from './expand-variables.ts';
import { configurationSchema } from './router-configuration.ts';
import type { RouterConfiguration } from './router-configuration.ts';

/**
 * Reads a `router.yaml`: YAML 1.2, its variables expanded, checked by {@link configurationSchema}.
 *
 * @param name what people are told it is
 * @throws SettingsError that lists everything that is wrong at once, with line and column
 */
export function parseConfiguration(text: string, name: string, variables: EnvSource): RouterConfiguration {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) => {
    if (offset === undefined) return '';
    const { line, col } = lines.linePos(offset);
    return `${line}:${col} `;
  };
  const problems = document.errors.map((error) => `${at(error.pos[0])}${error.message}`);
  if (problems.length > 0) throw new SettingsError(`The configuration ${name}`, problems);

  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      try {
        node.value = valueOf(node, node.value, variables);
      } catch (error) {
        problems.push(`${at(node.range?.[0])}${error instanceof Error ? error.message : 'cannot be expanded'}`);
      }
    },
  });
  if (problems.length > 0) throw new SettingsError(`The configuration ${name}`, problems);

  const parsed = configurationSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap((issue) => {
    const { path, message } = issue;
    // What is not known stands where it is written, not where it might have been.
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
    return paths.map((each) => ({
      offset: offsetOf(document, each),
      text: `${each.join('.') || 'it'}: ${issue.code === 'unrecognized_keys' ? 'is not known here' : message}`,
    }));
  });
  throw new SettingsError(
    `The configuration ${name}`,
    issues
      .toSorted((a, b) => (a.offset ?? 0) - (b.offset ?? 0))
      .map(({ offset, text: said }) => `${at(offset)}${said}`),
  );
}

/** Without quotes, an expansion is read like what is written out: `${env.N}` may be a number. */
function valueOf({ type }: Scalar, text: string, variables: EnvSource): unknown {
  const expanded = expandVariables(text, variables);
  if (type !== 'PLAIN' || !isExpansion(text)) return expanded;
  const { contents, errors } = parseDocument(expanded);
  return errors.length === 0 && isScalar(contents) ? contents.value : expanded;
}

/** Of the innermost thing on the path that is there. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      const [start]: unknown[] = node.range;
      if (typeof start === 'number') return start;
    }
  }
  return undefined;
}
