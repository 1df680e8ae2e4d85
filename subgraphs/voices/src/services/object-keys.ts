/** Every object of a voice lies below this, tenant first, so that a prefix is all that deletion needs. */
export function voicePrefix(ownerId: string, voiceId: string): string {
  return `tenants/${ownerId}/voices/${voiceId}/`;
}

/** A recording: a sample's, or the one that goes with a consent. */
export function recordingKey(ownerId: string, voiceId: string, recordingId: string): string {
  return `${recordingsPrefix(ownerId, voiceId)}${recordingId}`;
}

export function recordingsPrefix(ownerId: string, voiceId: string): string {
  return `${voicePrefix(ownerId, voiceId)}recordings/`;
}

/** With the revision in it, a preview that a player has cached is never mistaken for the next one. */
export function previewKey(ownerId: string, voiceId: string, revision: number): string {
  return `${voicePrefix(ownerId, voiceId)}preview-${revision}.mp3`;
}

export function libraryPreviewKey(voiceId: string, revision: number): string {
  return `library/voices/${voiceId}/preview-${revision}.mp3`;
}
