import type { Logger } from '../logger.ts';

export interface Subscriber {
  onMessage: (payload: string) => void;
  onReconnect: (() => void) | undefined;
}

/** Who in this process listens to which channel. */
export class FanOut {
  readonly #channels = new Map<string, Set<Subscriber>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  channels(): string[] {
    return [...this.#channels.keys()];
  }

  /** @returns whether it is the channel's first subscriber. */
  add(channel: string, subscriber: Subscriber): boolean {
    const present = this.#channels.get(channel);
    if (present !== undefined) {
      present.add(subscriber);
      return false;
    }
    this.#channels.set(channel, new Set([subscriber]));
    return true;
  }

  /** @returns whether it was the channel's last subscriber. */
  remove(channel: string, subscriber: Subscriber): boolean {
    const present = this.#channels.get(channel);
    if (present === undefined || !present.delete(subscriber) || present.size > 0) return false;
    this.#channels.delete(channel);
    return true;
  }

  deliver(channel: string, payload: string): void {
    for (const subscriber of this.#channels.get(channel) ?? []) this.#call(() => subscriber.onMessage(payload));
  }

  reconnected(): void {
    for (const subscribers of this.#channels.values()) {
      for (const { onReconnect } of subscribers) if (onReconnect !== undefined) this.#call(onReconnect);
    }
  }

  /** One subscriber's fault must not keep a message from the others. */
  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#log.error({ err: error }, 'a bus subscriber failed');
    }
  }
}
