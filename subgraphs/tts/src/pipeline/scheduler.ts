/** One generation's place among those that want to speak. */
export interface Lane {
  /** Runs the task when it is this lane's turn. Tasks of a lane begin in the order they came. */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Tasks that have not begun are refused with the reason. */
  close(reason: Error): void;
}

export interface LaneOptions {
  tenant: string;
  /** Nothing of it has been heard yet: its first task goes before everybody's later ones. */
  unheard: boolean;
}

export interface ChunkScheduler {
  open(options: LaneOptions): Lane;
}

export interface SchedulerOptions {
  /** Tasks that run at once. */
  slots: number;
  /** Of them, of one lane. */
  slotsPerLane: number;
}

interface Task {
  start(): void;
  refuse(reason: Error): void;
}

interface LaneState extends LaneOptions {
  waiting: Task[];
  running: number;
  /** When it was last given a slot; earlier is next. */
  servedAt: number;
}

/**
 * Shares the engine between generations: first chunks first, in the order they came, so that everybody hears something
 * soon; then tenants in turn, and each tenant's generations in turn.
 */
export function createChunkScheduler({ slots, slotsPerLane }: SchedulerOptions): ChunkScheduler {
  const lanes = new Set<LaneState>();
  const tenantServedAt = new Map<string, number>();
  let running = 0;
  let clock = 0;

  function next(): LaneState | null {
    let best: LaneState | null = null;
    for (const lane of lanes) {
      if (lane.waiting.length === 0 || lane.running >= slotsPerLane) continue;
      if (lane.unheard) return lane;
      if (best === null || before(lane, best)) best = lane;
    }
    return best;
  }

  function before(a: LaneState, b: LaneState): boolean {
    const tenants = (tenantServedAt.get(a.tenant) ?? 0) - (tenantServedAt.get(b.tenant) ?? 0);
    return tenants === 0 ? a.servedAt < b.servedAt : tenants < 0;
  }

  function fill(): void {
    while (running < slots) {
      const lane = next();
      const task = lane?.waiting.shift();
      if (!lane || !task) return;
      clock += 1;
      lane.servedAt = clock;
      tenantServedAt.set(lane.tenant, clock);
      lane.unheard = false;
      lane.running += 1;
      running += 1;
      task.start();
    }
  }

  return {
    open(options) {
      const lane: LaneState = { ...options, waiting: [], running: 0, servedAt: 0 };
      lanes.add(lane);
      let closed: Error | null = null;
      return {
        run<T>(work: () => Promise<T>): Promise<T> {
          return new Promise<T>((resolve, reject) => {
            if (closed) return reject(closed);
            lane.waiting.push({
              start() {
                void work()
                  .then(resolve, reject)
                  .finally(() => {
                    lane.running -= 1;
                    running -= 1;
                    fill();
                  });
              },
              refuse: reject,
            });
            fill();
          });
        },
        close(reason) {
          if (closed) return;
          closed = reason;
          lanes.delete(lane);
          for (const task of lane.waiting.splice(0)) task.refuse(reason);
          if (![...lanes].some(({ tenant }) => tenant === lane.tenant)) tenantServedAt.delete(lane.tenant);
        },
      };
    },
  };
}
