/**
 * What players do while the publisher is away for some seconds, with a playlist that stands still, with EXT-X-GAP
 * segments, and with the picture held (which is what Headwater does; a proxy makes the other two out of it).
 * `script/node bench/absence.ts [seconds] [player…]`
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { publishClock } from './clock_picture.ts';
import { openPlayer, PLAYERS, WATCH_CLOCK } from '../test/players/player_page.ts';
import type { PlayerName } from '../test/players/player_page.ts';

const awaySeconds = Number(process.argv[2] ?? 20);
const players = process.argv.length > 3 ? (process.argv.slice(3) as PlayerName[]) : PLAYERS;
const MODES = ['frozen', 'gap', 'hold'] as const;

/** The absence as the proxy sees it: from which segment on nothing but a standing picture comes. */
interface Absence {
  fromMsn: number | undefined;
  toEpoch: string | undefined;
  readonly frozen: Map<string, string>;
}

function isHeld(line: string, { fromMsn, toEpoch }: Absence): boolean {
  const match = /\/([0-9]+)\/[^/]+\/([0-9]+)(?:\.[0-9]+)?\.m4s/.exec(line);
  if (match === null || fromMsn === undefined) return false;
  return Number(match[2]) >= fromMsn && (toEpoch === undefined || Number(match[1]) < Number(toEpoch));
}

/** Held segments become gaps; parts and hints of them go. */
function withGaps(text: string, absence: Absence): string {
  const held = (line: string) => isHeld(line, absence);
  return text
    .split('\n')
    .filter((line) => !(/^#EXT-X-(?:PART|PRELOAD-HINT):/.test(line) && held(line)))
    .flatMap((line) => (!line.startsWith('#') && held(line) ? ['#EXT-X-GAP', line] : [line]))
    .join('\n');
}

async function proxy(edge: string, mode: (typeof MODES)[number], absence: Absence) {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? '/';
    const path = url.split('?')[0] ?? url;
    const isMedia = path.endsWith('/index.m3u8');
    const frozen =
      isMedia && absence.fromMsn !== undefined && absence.toEpoch === undefined ? absence.frozen.get(path) : undefined;
    if (mode === 'frozen' && frozen !== undefined) {
      if (url.includes('_HLS_msn')) await new Promise((resolve) => setTimeout(resolve, 6000));
      response.writeHead(200, { 'access-control-allow-origin': '*', 'cache-control': 'no-store' }).end(frozen);
      return;
    }
    if (mode !== 'hold' && path.endsWith('.m4s') && isHeld(path, absence)) {
      response.writeHead(404, { 'access-control-allow-origin': '*' }).end();
      return;
    }
    // Delta updates would hide what the proxy has to rewrite.
    const { range } = request.headers;
    const reply = await fetch(edge + url.replace(/&?_HLS_skip=[^&]*/, ''), {
      method: request.method ?? 'GET',
      headers: range === undefined ? {} : { range },
    });
    const body = Buffer.from(await reply.arrayBuffer());
    const text = isMedia && reply.ok ? body.toString() : undefined;
    if (text !== undefined && absence.fromMsn === undefined) absence.frozen.set(path, text);
    const passed = Object.fromEntries(
      [...reply.headers].filter(([name]) => !/^(?:content-(?:encoding|length)|etag|connection|keep-alive)$/.test(name)),
    );
    response.writeHead(reply.status, passed).end(text === undefined || mode !== 'gap' ? body : withGaps(text, absence));
  };
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.closeAllConnections(),
  };
}

const lastPosition = (text: string) => {
  const uris = text.match(/([0-9]+)\/[^/\n]+\/([0-9]+)\.m4s$/gm) ?? [];
  const [epoch, , msn] = (uris.at(-1) ?? '').split('/');
  return { epoch, msn: Number.parseInt(msn ?? '', 10) };
};

async function measure(player: PlayerName, mode: (typeof MODES)[number]) {
  const machine = await startMachine({ HW_LADDER: '720p:2800k:2996k:128k' });
  const edge = `http://127.0.0.1:${machine.ports.edge}`;
  const rtmp = `rtmp://127.0.0.1:${machine.ports.rtmp}/stream/bench-stream-key`;
  const absence: Absence = { fromMsn: undefined, toEpoch: undefined, frozen: new Map() };
  const front = await proxy(edge, mode, absence);
  const media = async () => lastPosition(await (await fetch(`${edge}/bench/720p/index.m3u8`)).text());
  const first = publishClock(rtmp);
  while (!(await fetch(`${edge}/bench/live.m3u8`)).ok) await new Promise((resolve) => setTimeout(resolve, 100));
  const tab = await openPlayer(player, `${front.url}/bench/live.m3u8`);
  await tab.page.waitForFunction('document.querySelector("video").currentTime > 0.5');
  await tab.page.waitForTimeout(8000);
  await tab.page.evaluate(WATCH_CLOCK);
  first.kill();
  await first.exited;
  absence.fromMsn = (await media()).msn + 1;
  await tab.page.waitForTimeout(awaySeconds * 1000);
  const before = await media();
  const second = publishClock(rtmp);
  while ((await media()).epoch === before.epoch) await new Promise((resolve) => setTimeout(resolve, 100));
  absence.toEpoch = (await media()).epoch;
  await tab.page.waitForTimeout(12_000);
  const watch = await tab.page.evaluate<{ longestMs: number; last: number }>('window.clockWatch');
  await tab.page.waitForTimeout(2000);
  const later = await tab.page.evaluate<number>('document.querySelector("video").currentTime');
  const errors = await tab.errors();
  console.log(
    JSON.stringify({
      player,
      mode,
      awaySeconds,
      stoodStillS: Number((watch.longestMs / 1000).toFixed(1)),
      playsOn: later > watch.last,
      errors: [...new Set(errors)],
    }),
  );
  second.kill();
  await tab.close();
  front.close();
  await machine.stop();
}

for (const player of players) for (const mode of MODES) await measure(player, mode);
process.exit(0);
