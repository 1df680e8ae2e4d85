export const GRAPHQL_RESPONSE = 'application/graphql-response+json';
export const JSON_TYPE = 'application/json';
export type ResponseType = typeof GRAPHQL_RESPONSE | typeof JSON_TYPE;

interface MediaRange {
  type: string;
  quality: number;
  charset: string | null;
}

/**
 * The media type of a GraphQL response that the client accepts best; null where it accepts none.
 * What leaves the choice to us gets `application/json`: clients that do not name the newer type may
 * read errors from 200 only (GraphQL over HTTP, section 6.1, "legacy watershed").
 */
export function negotiate(accept: string | undefined): ResponseType | null {
  if (accept === undefined || accept.trim() === '') return JSON_TYPE;
  let best: { type: ResponseType; quality: number } | null = null;
  for (const range of accept.split(',').map(parseRange)) {
    const type = responseTypeOf(range);
    if (type !== null && range.quality > 0 && (best === null || range.quality > best.quality)) {
      best = { type, quality: range.quality };
    }
  }
  return best?.type ?? null;
}

/** Whether a browser's navigation asks: `text/html` by name. */
export function prefersHtml(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((range) => parseRange(range).type === 'text/html');
}

/** The type and charset of a body; null where none is named. */
export function parseContentType(value: string | undefined): { type: string; charset: string | null } | null {
  if (value === undefined || value.trim() === '') return null;
  const { type, charset } = parseRange(value);
  return { type, charset };
}

function responseTypeOf({ type, charset }: MediaRange): ResponseType | null {
  if (charset !== null && charset !== 'utf-8' && charset !== 'utf8') return null;
  if (type === GRAPHQL_RESPONSE) return GRAPHQL_RESPONSE;
  return type === JSON_TYPE || type === 'application/*' || type === '*/*' ? JSON_TYPE : null;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.toLowerCase().split(';');
  const values = new Map(
    parameters.map((parameter) => {
      const [name = '', value = ''] = parameter.split('=', 2);
      return [name.trim(), value.trim().replace(/^"|"$/g, '')];
    }),
  );
  const quality = Number(values.get('q') ?? '1');
  return {
    type: type.trim(),
    quality: Number.isFinite(quality) ? quality : 0,
    charset: values.get('charset') ?? null,
  };
}
