/**
 * Runs every layer that `script/test` promises (types, lint and format; the fast tests; the tests of the whole system),
 * one after the other, the later ones even when an earlier one failed, and ends with one plain line:
 * `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileOf, judge, parseTally, secondTry } from './tally.ts';
import type { Tally } from './tally.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Exit code of a child that shares our terminal; ends it when we are asked to end. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', pass);
  process.on('SIGINT', pass);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === 'SIGTERM' || signal === 'SIGINT') process.exit(1);
      resolve(code ?? 1);
    });
    return await promise;
  } finally {
    process.off('SIGTERM', pass);
    process.off('SIGINT', pass);
  }
}

async function runCheck(): Promise<Tally> {
  const code = await run('script/check', [], process.env);
  const failed = code === 0 ? [] : [{ name: 'script/check', why: `it ended with ${code}` }];
  return { passed: code === 0 ? 1 : 0, failed, skipped: [] };
}

/** More files than these do not fail for want of CPU. */
const MOST_SECOND_TRIES = 3;

/** In CI, whose machines are busy with others, the few files that failed are run once more, each alone. */
async function runSystem(full: boolean, ci: boolean, folder: string): Promise<Tally> {
  const first = await runVitest('system', full, folder);
  const files = new Set(first.failed.map(({ name }) => fileOf(name)));
  if (!ci || files.size === 0 || files.size > MOST_SECOND_TRIES || files.has(undefined)) return first;
  console.log(`once more, alone: ${[...files].join(' ')}`);
  const second = await runVitest(
    'system',
    full,
    folder,
    ['--maxWorkers=1', ...files].filter((each) => each !== undefined),
  );
  return secondTry(first, second);
}

async function runVitest(project: string, full: boolean, folder: string, more: readonly string[] = []): Promise<Tally> {
  const path = join(folder, `${project}.json`);
  rmSync(path, { force: true });
  const code = await run(
    'script/node',
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=./test/layers/tally_reporter.ts',
      ...more,
    ],
    { ...process.env, HW_TEST_TALLY: path, ...(full ? { HW_TEST_FULL: '1' } : {}) },
  );
  let tally: Tally;
  try {
    tally = parseTally(readFileSync(path, 'utf8'));
  } catch (cause) {
    return { passed: 0, failed: [{ name: project, why: `Vitest left no tally: ${String(cause)}` }], skipped: [] };
  }
  // Vitest knows of failures that no test is the owner of.
  if (code === 0 || tally.failed.length > 0) return tally;
  return { ...tally, failed: [{ name: project, why: `Vitest ended with ${code}` }] };
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((argument) => argument !== '--full');
  if (unknown !== undefined) {
    console.error(`headwater: script/test does not know "${unknown}", only --full`);
    return 1;
  }
  const full = args.includes('--full') || process.env['HW_TEST_FULL'] === '1';
  const ci = process.env['CI'] === 'true' || process.env['CI'] === '1';
  const folder = mkdtempSync(join(tmpdir(), 'headwater-test-'));
  try {
    const layers = [
      { name: 'check', run: runCheck },
      { name: 'unit', run: () => runVitest('unit', full, folder) },
      { name: 'system', run: () => runSystem(full, ci, folder) },
    ];
    const tallies: Tally[] = [];
    const durations: string[] = [];
    for (const layer of layers) {
      const startedMs = performance.now();
      tallies.push(await layer.run());
      durations.push(`${layer.name} ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    }
    const verdict = judge(tallies, { ci, full });
    for (const note of verdict.notes) console.log(note);
    console.log(`took: ${durations.join(', ')}`);
    console.log(`${verdict.passed} passed, ${verdict.failed} failed`);
    return verdict.failed === 0 && verdict.passed > 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
