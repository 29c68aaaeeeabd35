/**
 * Lets only so many calls be under way at once; the others wait for their turn, in order.
 */
export type Gate = <Value>(action: () => Promise<Value>) => Promise<Value>;

export function createGate(maxInFlight: number): Gate {
  const waiting: (() => void)[] = [];
  let inFlight = 0;
  return async (action) => {
    if (inFlight >= maxInFlight) await new Promise<void>((resolve) => waiting.push(resolve));
    else inFlight += 1;
    try {
      return await action();
    } finally {
      // The place goes to the next in line, or is free.
      const next = waiting.shift();
      if (next === undefined) inFlight -= 1;
      else next();
    }
  };
}
