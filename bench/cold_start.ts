/**
 * Benchmark: how long the packaged functions take until their handlers are there, what is added to a cold start beside
 * Lambda's own time, and how large they are.
 *
 *   script/node bench/cold_start.ts [RUNS]
 *
 * The AWS clients come from node_modules here and from Lambda's runtime there; a Graviton function of 512 MB has about a
 * third of a core, so that its times are longer by as much.
 */
import { join } from 'node:path';
import { invokeBundle, unpackBundle } from '../test/stack/invoke_bundle.ts';
import { packageStack } from '../test/stack/package_stack.ts';
import { FUNCTION_NAMES } from '../contracts/function_calls.ts';

const RUNS = Number(process.argv[2] ?? 15);

/** @param sorted ascending */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const stack = await packageStack('dev');
try {
  console.log('| function | bundle | init p50 | init p95 |\n|---|---|---|---|');
  for (const name of FUNCTION_NAMES) {
    const bundle = await unpackBundle(join(stack.folder, `${name}.zip`));
    const times: number[] = [];
    for (let run = 0; run < RUNS; run += 1) times.push((await invokeBundle(bundle.path, {})).initMs);
    const sorted = times.toSorted((a, b) => a - b);
    const [p50, p95] = [0.5, 0.95].map((share) => `${percentile(sorted, share).toFixed(0)} ms`);
    console.log(`| ${name} | ${(bundle.bytes / 1000).toFixed(0)} KB | ${p50} | ${p95} |`);
  }
} finally {
  await stack.remove();
}
