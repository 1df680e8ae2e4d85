import { pgSchema } from 'drizzle-orm/pg-core';

export const ttsSchema = pgSchema('tts');
