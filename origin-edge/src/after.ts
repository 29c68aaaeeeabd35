/**
 * Timers, injected: logic asks for them here, tests hand in ones that they run by hand.
 */

/** Calls `action` once after `delayMs`; the returned function cancels it. */
export type After = (delayMs: number, action: () => void) => () => void;

export const systemAfter: After = (delayMs, action) => {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
};

export async function sleep(after: After, delayMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    after(delayMs, resolve);
  });
}

/** Resolves when `work` is done or has failed, which is for others to look at, or after `delayMs`; leaves no timer behind. */
export async function waitAtMost(after: After, delayMs: number, work: Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = after(delayMs, resolve);
    const end = (): void => {
      cancel();
      resolve();
    };
    void work.then(end, end);
  });
}
