import { z } from 'zod';

const eventSchema = z.object({ event: z.object({ sequence: z.number() }) });

/** Of channels whose events are numbered from 1: which were lost, and which came twice. */
export class SequenceCheck {
  readonly #last = new Map<number, number>();
  #taken = 0;
  #lost = 0;
  #repeated = 0;

  take(channel: number, data: unknown): void {
    const { sequence } = eventSchema.parse(data).event;
    const last = this.#last.get(channel) ?? 0;
    this.#taken++;
    if (sequence <= last) {
      this.#repeated++;
      return;
    }
    this.#lost += sequence - last - 1;
    this.#last.set(channel, sequence);
  }

  report(): { taken: number; lost: number; repeated: number } {
    return { taken: this.#taken, lost: this.#lost, repeated: this.#repeated };
  }
}
