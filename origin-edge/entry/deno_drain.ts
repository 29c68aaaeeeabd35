/**
 * Lets running replies end before the process does. `deno serve` keeps its listener to itself, so that what is asked in
 * the meantime is answered too, and /readyz tells whoever spreads the viewers to look elsewhere.
 */
export interface Drain {
  readonly hasBegun: () => boolean;
  /** Counts the reply as running until it is there. */
  readonly pass: (reply: Response | Promise<Response>) => Response | Promise<Response>;
  /** Resolves once no reply is being made, or after `graceMs`. */
  readonly end: (graceMs?: number) => Promise<void>;
}

export function createDrain(): Drain {
  let running = 0;
  const ended = Promise.withResolvers<void>();
  let hasBegun = false;
  const leave = (): void => {
    running -= 1;
    if (hasBegun && running === 0) ended.resolve();
  };
  return {
    hasBegun: () => hasBegun,
    pass: (reply) => {
      if (!(reply instanceof Promise)) return reply;
      running += 1;
      return reply.finally(leave);
    },
    end: async (graceMs = 5000) => {
      hasBegun = true;
      if (running === 0) ended.resolve();
      const cut = setTimeout(() => ended.resolve(), graceMs);
      await ended.promise;
      clearTimeout(cut);
      // The bodies of the last replies are on their way.
      await new Promise((resolve) => {
        setTimeout(resolve, 100);
      });
    },
  };
}
