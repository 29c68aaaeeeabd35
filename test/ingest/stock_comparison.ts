/**
 * Plays the hostile corpus against the stock node-media-server, each input against a fresh process, and holds the
 * corpus's `stock` column to what is seen. Run it by hand: `script/node test/ingest/stock_comparison.ts`.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostileCase } from './hostile_case.ts';
import { HOSTILE_CORPUS, playCase } from './hostile_corpus.ts';
import type { Observation } from './hostile_corpus.ts';
import { goodbye } from './rtmp_bytes.ts';
import type { StockReport } from './stock_process.ts';

const LEAK_BYTES = 64 * 1024 * 1024;
const PATIENCE_MS = 1500;
const AT_ONCE = 3;

interface Seen {
  readonly outcome: 'dies' | 'accepts' | 'leaks' | 'loses' | 'survives';
  readonly detail: string;
}

async function run(hostile: HostileCase, index: number): Promise<Seen> {
  const child = fork(new URL('stock_process.ts', import.meta.url), { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  try {
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    const ask = async (): Promise<StockReport | undefined> => {
      if (!child.connected) return undefined;
      child.send('report');
      const answer = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[];
      return typeof answer[0] === 'object' ? (answer[0] as StockReport) : undefined;
    };
    const before = await ask();
    const key = `${hostile.key}-${index}`;
    const finale = hostile.expect.outcome === 'live' ? { finale: goodbye(key) } : {};
    const seen = await Promise.all(
      Array.from({ length: hostile.connections ?? 1 }, () =>
        playCase(hostile, { port, key, patienceMs: PATIENCE_MS, ...finale }),
      ),
    );
    await sleep(100);
    const after = child.exitCode === null ? await ask() : undefined;
    if (before === undefined || after === undefined) return { outcome: 'dies', detail: 'the process exited' };
    return judge(hostile, seen, after.broadcasts, after.rssBytes - before.rssBytes);
  } finally {
    child.kill('SIGKILL');
  }
}

function judge(hostile: HostileCase, seen: readonly Observation[], broadcasts: number, growth: number): Seen {
  const detail = `${broadcasts} broadcasts, ${(growth / 1e6).toFixed(0)} MB, closed ${seen.filter((one) => one.closed).length}/${seen.length}`;
  const { expect } = hostile;
  if (growth > LEAK_BYTES) return { outcome: 'leaks', detail };
  if (expect.outcome === 'left') return { outcome: 'survives', detail };
  if (expect.outcome === 'live') {
    if (broadcasts < expect.tags) return { outcome: 'loses', detail };
    return { outcome: broadcasts > expect.tags ? 'accepts' : 'survives', detail };
  }
  const welcomed = /Net(?:Stream\.(?:Publish|Play)|Connection\.Connect)\.(?:Start|Reset)/;
  const unwelcome = hostile.key === 'bad' || hostile.class === 'names';
  const accepts = seen.some((one) => !one.closed || (unwelcome && welcomed.test(one.heard)));
  return { outcome: accepts || (hostile.key === 'bad' && broadcasts > 0) ? 'accepts' : 'survives', detail };
}

const queue = HOSTILE_CORPUS.map((hostile, index) => ({ hostile, index }));
let wrong = 0;
const lines: string[] = [];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { hostile, index } = next;
      const { outcome, detail } = await run(hostile, index);
      const agrees = hostile.stock.startsWith(outcome);
      wrong += agrees ? 0 : 1;
      lines.push(
        `${agrees ? 'ok   ' : 'WRONG'} ${hostile.class}: ${hostile.name}: ${outcome} (${detail})${agrees ? '' : `, the corpus says ${hostile.stock}`}`,
      );
    }
  }),
);
lines.sort((a, b) => a.slice(6).localeCompare(b.slice(6)));
process.stdout.write(`${lines.join('\n')}\n${wrong} of ${HOSTILE_CORPUS.length} differ\n`);
process.exitCode = wrong === 0 ? 0 : 1;
