/**
 * The commands of docs/deploy.md for machines of one's own, run on this one: Redis, functions, a transcoder and an edge
 * as the page starts them, a publisher where it says, and a playlist where viewers are told to look.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startProgram } from '../fleet/program.ts';
import type { Program } from '../fleet/program.ts';
import { eventually } from '../one_machine/eventually.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { startRedis } from '../registry/redis_server.ts';
import type { RedisServer } from '../registry/redis_server.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8').split('\n## On machines of your own')[1] ?? '';
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const STREAM_KEY = 'deploy-key-7hQ2';

interface Command {
  readonly env: Readonly<Record<string, string>>;
  readonly script: string;
  readonly args: readonly string[];
}

/** `NAME=value … npm run SCRIPT -- ARGS`, one each block, and the exports that stand before them all. */
function commandsOf(text: string): {
  readonly exported: Readonly<Record<string, string>>;
  readonly commands: readonly Command[];
} {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block ?? '');
  const assignments = (line: string) =>
    Object.fromEntries(
      [...line.matchAll(/([A-Z][A-Z0-9_]*)=(\$\([^)]*\)|\S+)/g)].map(([, name, value]) => [name ?? '', value ?? '']),
    );
  const exported = blocks.filter((block) => block.startsWith('export ')).map(assignments);
  const commands = blocks.flatMap((block) => {
    const [, before = '', script = '', after = ''] = /^(.*)npm run ([a-z]+)(?: -- (.*))?\n$/.exec(block) ?? [];
    return script === ''
      ? []
      : [{ env: assignments(before), script, args: after.split(' ').filter((word) => word !== '') }];
  });
  return { exported: Object.assign({}, ...exported) as Record<string, string>, commands };
}

const { exported, commands } = commandsOf(page);
/** What the page has a person make up or fill in. */
const shared = Object.fromEntries(
  Object.entries(exported).map(([name, value]) => [
    name,
    value.startsWith('$(') ? `made-up-for-${name.toLowerCase()}` : value,
  ]),
);

let redis: RedisServer;
const running: Program[] = [];

/** @param hosts what stands on this machine for the page's hosts */
async function start(script: string, hosts: readonly (readonly [string, string])[]): Promise<Program> {
  const program = await startProgram(fileOf(script), { ...environmentOf(script, hosts), ...PORTS[script] });
  running.push(program);
  return program;
}

const PORTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  functions: { HW_FUNCTIONS_PORT: '0' },
  transcoder: { HW_RTMP_PORT: '0', HW_MEDIA_PORT: '0', HW_METRICS_PORT: '0' },
  edge: { HW_EDGE_PORT: '0', HW_METRICS_PORT: '0' },
};

function environmentOf(script: string, hosts: readonly (readonly [string, string])[]): Record<string, string> {
  const command = commands.find((one) => one.script === script);
  if (command === undefined) throw new Error(`docs/deploy.md has no command that runs ${script}`);
  const env = { ...shared, ...command.env };
  for (const [name, value] of Object.entries(env)) {
    env[name] = hosts.reduce((text, [host, here]) => text.replace(host, here), value).replace('STREAM_KEY', STREAM_KEY);
    // The page opens the machines to their network.
    if (value === '0.0.0.0') env[name] = '127.0.0.1';
  }
  return env;
}

function fileOf(script: string): string {
  const file = /^exec script\/node (\S+)$/.exec(scripts[script] ?? '')?.[1];
  if (file === undefined) throw new Error(`package.json has no script ${script}`);
  return file;
}

beforeAll(async () => {
  redis = await startRedis('alone');
  // As if it had run for a while: an empty registry has claims wait for heartbeats.
  await redis.nodes[0]?.set('hw:boot', String(Date.now() - 60_000));
});

afterAll(async () => {
  for (const program of running.toReversed()) await program.stop('SIGKILL');
  await redis?.stop();
});

it('a stream plays from end to end, and the fleet can be asked', async () => {
  expect(commands.map(({ script }) => script)).toEqual(['functions', 'transcoder', 'edge', 'hw']);
  const functions = await start('functions', [['redis://redis.internal:6379', redis.url]]);
  const endpoint = ['functions.internal:9000', `127.0.0.1:${functions.ports['functions']}`] as const;
  const transcoder = await start('transcoder', [endpoint]);
  // Its media port was picked: the address that the page has it advertise is only known now.
  await transcoder.stop();
  const mediaPort = String(transcoder.ports['media']);
  const second = await startProgram(fileOf('transcoder'), {
    ...environmentOf('transcoder', [endpoint, ['one.internal:8000', `127.0.0.1:${mediaPort}`]]),
    ...PORTS['transcoder'],
    HW_MEDIA_PORT: mediaPort,
  });
  running.push(second);
  const edge = await start('edge', [endpoint, ['10.0.0.0/8', '127.0.0.0/8']]);
  const publisher = await PacedPublisher.start({
    port: second.ports['rtmp'] ?? 0,
    key: STREAM_KEY,
    source: await makeTestSource(),
  });
  const base = `http://127.0.0.1:${edge.ports['edge']}`;
  let playlist = '';
  await eventually('the playlist is there', 15_000, async () => {
    const reply = await fetch(`${base}/demo/live.m3u8`);
    playlist = await reply.text();
    return reply.status === 200;
  });
  expect(playlist).toContain('#EXT-X-STREAM-INF');
  expect((await fetch(`${base}/watch/demo`)).status).toBe(200);
  const { args } = commands.find(({ script }) => script === 'hw') ?? { args: [] };
  const asked = await promisify(execFile)(process.execPath, [fileOf('hw'), ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...environmentOf('hw', [endpoint]) },
  });
  expect(asked.stdout).toContain('demo  live');
  await publisher.sayGoodbye();
  for (const program of running) expect(program.log()).not.toContain(STREAM_KEY);
});
