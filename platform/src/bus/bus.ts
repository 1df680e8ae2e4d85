/**
 * Messages between processes, at most once and only while connected: hints, never the truth.
 * Publish after the commit; a subscriber re-reads the database (see `hints.ts`).
 */
export interface Bus {
  /**
   * Resolves when the message is handed over. One that cannot be is lost and logged, not an error: the work that it
   * tells of is committed already.
   * @throws RangeError when channel and payload together exceed {@link MAX_MESSAGE_BYTES}.
   */
  publish(channel: string, payload: string): Promise<void>;
  /**
   * Resolves once messages arrive. `onReconnect` is called after every gap in which messages may
   * have been missed.
   * @returns the function that ends the subscription.
   */
  subscribe(
    channel: string,
    onMessage: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** PostgreSQL refuses a NOTIFY payload of 8,000 bytes; the limit is the same on every side. */
export const MAX_MESSAGE_BYTES = 7_900;

const MAX_CHANNEL_BYTES = 200;

export function checkMessage(channel: string, payload: string): void {
  const channelBytes = Buffer.byteLength(channel);
  if (channelBytes === 0 || channelBytes > MAX_CHANNEL_BYTES || channel.includes('\n')) {
    throw new RangeError(`A bus channel is one line of 1 to ${MAX_CHANNEL_BYTES} bytes: ${JSON.stringify(channel)}`);
  }
  const bytes = channelBytes + 1 + Buffer.byteLength(payload);
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new RangeError(
      `A bus message is a hint of at most ${MAX_MESSAGE_BYTES} bytes, channel included; this one on ${channel} has ${bytes}. Store the data and publish its id.`,
    );
  }
}
