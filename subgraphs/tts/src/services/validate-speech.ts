import { idempotencyKeyProblem } from '@timbre/platform/idempotency-key';
import type { SpeechModel } from '@timbre/speech/engine';
import { AUDIO_FORMATS, type AudioFormat } from '@timbre/speech/codecs/formats';
import { invalid, type Refused } from './refusal.ts';

/** The limits that the viewer's plan sets to one generation. */
export interface PlanLimits {
  name: string;
  maxCharacters: number;
  formats: readonly string[];
}

export interface SpeechRequest {
  text: string;
  modelId: string;
  format: AudioFormat;
  speed: number;
  maxCredits: number | null;
}

export const SPEED_RANGE = { min: 0.5, max: 2 } as const;

// Of the C0 and C1 controls a text may hold the tab, the line feed and the carriage return before one.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\r(?!\n)/u;

export function checkIdempotencyKey(key: string, path: readonly string[]): Refused[] {
  const problem = idempotencyKeyProblem(key);
  return problem === null ? [] : [invalid(problem.code, problem.message, path)];
}

/** Every way in which the text cannot be spoken, with the limit and what was sent. Lengths are UTF-16 code units. */
export function checkText(text: string, plan: PlanLimits, model: SpeechModel | null): Refused[] {
  const path = ['input', 'text'];
  if (text.trim() === '') {
    const sent = text === '' ? 'nothing' : `${String(text.length)} characters of white space`;
    return [invalid('TEXT_EMPTY', `The text must have something to say; ${sent} was sent.`, path)];
  }
  const errors: Refused[] = [];
  const tooLong = (limit: number, whose: string) =>
    invalid(
      'TEXT_TOO_LONG',
      `${whose} takes texts of at most ${String(limit)} characters; ${String(text.length)} were sent.`,
      path,
    );
  if (text.length > plan.maxCharacters) errors.push(tooLong(plan.maxCharacters, `The plan ${plan.name}`));
  if (model && text.length > model.maxCharacters) errors.push(tooLong(model.maxCharacters, `The model ${model.id}`));
  const control = CONTROL.exec(text);
  if (control) {
    const name = `U+${control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    errors.push(
      invalid(
        'TEXT_CONTROL_CHARACTER',
        `Of the control characters a text may hold only tab and line feed; ${name} stands at ${String(control.index)}.`,
        path,
      ),
    );
  }
  if (!text.isWellFormed()) {
    errors.push(
      invalid('TEXT_MALFORMED', 'The text has half of a surrogate pair: it is not well-formed UTF-16.', path),
    );
  }
  return errors;
}

export function checkModel(modelId: string, models: readonly SpeechModel[]): Refused[] {
  if (models.some((model) => model.id === modelId)) return [];
  const known = models.map((model) => model.id).join(', ');
  return [
    invalid('MODEL_NOT_FOUND', `There is no model ${JSON.stringify(modelId.slice(0, 64))}; there is: ${known}.`, [
      'input',
      'modelId',
    ]),
  ];
}

/** Every way in which the request's own values are refused, before anything is looked up or charged. */
export function checkRequest(request: SpeechRequest, plan: PlanLimits, models: readonly SpeechModel[]): Refused[] {
  const model = models.find(({ id }) => id === request.modelId) ?? null;
  const errors = [...checkText(request.text, plan, model), ...checkModel(request.modelId, models)];
  if (!(request.speed >= SPEED_RANGE.min && request.speed <= SPEED_RANGE.max)) {
    errors.push(
      invalid(
        'SPEED_OUT_OF_RANGE',
        `The speed must be between ${String(SPEED_RANGE.min)} and ${String(SPEED_RANGE.max)}; ${String(request.speed)} was sent.`,
        ['input', 'settings', 'speed'],
      ),
    );
  }
  if (!plan.formats.includes(request.format)) {
    const others = AUDIO_FORMATS.filter((format) => plan.formats.includes(format)).join(', ');
    errors.push(
      invalid('FORMAT_NOT_IN_PLAN', `The plan ${plan.name} makes ${others}; ${request.format} was asked for.`, [
        'input',
        'format',
      ]),
    );
  }
  if (request.maxCredits !== null && request.maxCredits < 0) {
    errors.push(
      invalid('MAX_CREDITS_INVALID', `maxCredits must be 0 or more; ${String(request.maxCredits)} was sent.`, [
        'input',
        'maxCredits',
      ]),
    );
  }
  return errors;
}
