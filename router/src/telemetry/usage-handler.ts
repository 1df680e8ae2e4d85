import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import { sendJson } from '@timbre/platform/http-body';
import type { UsageFilter, UsageReport } from './field-usage.ts';

/** Answers `GET /usage`: `deprecated=true` asks for what is deprecated only, `coordinate=Person.email` for a part of the schema. */
export function usageHandler(report: (filter: UsageFilter) => UsageReport) {
  return (req: IncomingMessage, res: ServerResponse): void => {
    if (req.method !== 'GET') throw new AppError('METHOD_NOT_ALLOWED', 'Use GET.');
    const search = new URLSearchParams((req.url ?? '').split('?', 2)[1]);
    const filter = {
      deprecated: search.get('deprecated') === 'true',
      coordinate: search.get('coordinate') ?? undefined,
    };
    sendJson(res, 200, report(filter));
  };
}
