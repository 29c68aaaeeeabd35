/**
 * Lets so many calls be under way at once; the others wait in the order of their coming, and not without bound.
 */
export interface CallGate {
  /** Runs `call` in its turn. @throws GateFull when too many wait already */
  through<Result>(call: () => Promise<Result>): Promise<Result>;
}

export class GateFull extends Error {
  override readonly name = 'GateFull';
}

export function createCallGate(maxInFlight: number, maxWaiting: number): CallGate {
  const waiting: (() => void)[] = [];
  let inFlight = 0;
  const enter = async (): Promise<void> => {
    if (inFlight < maxInFlight) {
      inFlight += 1;
      return;
    }
    if (waiting.length >= maxWaiting) throw new GateFull(`${maxWaiting} calls are waiting already`);
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  /** Hands the place on to the next who waits. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) inFlight -= 1;
    else next();
  };
  return {
    through: async (call) => {
      await enter();
      try {
        return await call();
      } finally {
        leave();
      }
    },
  };
}
