export * from './billing/tables.ts';
export * from './tts/tables.ts';
export * from './users/tables.ts';
export * from './voices/tables.ts';
