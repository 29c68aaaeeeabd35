/**
 * Does asynchronous work on many values, a few at a time: requests to a store, whose latency adds up one by one and
 * whose replies do not fit into memory all at once.
 */

/** In the order of `values`. Rejects with the first error, once what had begun is over. */
export async function mapLimited<Value, Result>(
  values: readonly Value[],
  limit: number,
  work: (value: Value) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  let failed: { readonly error: unknown } | undefined;
  const run = async () => {
    while (next < values.length && failed === undefined) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(values[index] as Value);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, values.length) }, run));
  if (failed !== undefined) throw failed.error;
  return results;
}
