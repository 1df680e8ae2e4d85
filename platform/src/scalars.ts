import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';

/** RFC 3339 with a zone; the fraction may have any length. */
const FORM = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

function parse(value: unknown): Date {
  const date = typeof value === 'string' && FORM.test(value) ? new Date(value) : null;
  // Beyond the years 1 to 9999 the same moment in UTC has no such form, and PostgreSQL does not take it.
  const year = date?.getUTCFullYear() ?? 0;
  if (date === null || !(year >= 1 && year <= 9999)) {
    throw new GraphQLError(`A DateTime is written as "2026-01-31T23:59:59.000Z", not ${JSON.stringify(value)}.`, {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  }
  return date;
}

/** The scalar `DateTime`: a `Date` inside, RFC 3339 in UTC with milliseconds outside. */
export const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  serialize(value) {
    const date = value instanceof Date ? value : typeof value === 'string' ? new Date(value) : null;
    if (date === null || Number.isNaN(date.getTime())) throw new TypeError('A DateTime must be a Date.');
    return date.toISOString();
  },
  parseValue: parse,
  parseLiteral: (node) => parse(node.kind === Kind.STRING ? node.value : undefined),
});
