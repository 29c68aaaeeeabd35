/**
 * The image of Dockerfile.transcoder holds what its two programs need: they are started out of what it copies, as ECS
 * starts them, without the rest of the project.
 */
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startScriptedAgent } from '../../transcoder/ecs/testing/scripted_agent.ts';
import { startProgram } from '../fleet/program.ts';
import { ROOT } from './package_stack.ts';

let image: string;

/** What .dockerignore lets through of what the last stage copies. */
async function copyAsDocker(folder: string): Promise<void> {
  const dockerfile = await readFile(join(ROOT, 'Dockerfile.transcoder'), 'utf8');
  const ignored = await readFile(join(ROOT, '.dockerignore'), 'utf8');
  const allowed = new Set([...ignored.matchAll(/^!(.+)$/gm)].map(([, name]) => name));
  const left = [...ignored.matchAll(/^\*\*\/(.+)$/gm)].map(([, pattern]) => pattern ?? '');
  const isLeft = (path: string): boolean =>
    left.some((pattern) => (pattern.startsWith('*') ? path.endsWith(pattern.slice(1)) : basename(path) === pattern));
  const lastStage = dockerfile.split(/^FROM /m).at(-1) ?? '';
  for (const [, from = '', to = ''] of lastStage.matchAll(/^COPY (?!--)(\S+) (\S+)$/gm)) {
    expect(allowed).toContain(from);
    await cp(join(ROOT, from), join(folder, to === './' ? from : to), {
      recursive: true,
      filter: (path) => !isLeft(path),
    });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

beforeAll(async () => {
  image = await mkdtemp(join(tmpdir(), 'headwater-image-'));
  await copyAsDocker(image);
});

afterAll(async () => {
  await rm(image, { recursive: true, force: true });
});

const TOKEN = 'a-token-of-the-fleet';

it('starts the transcoder, which is named after its task and says where it is', async () => {
  const metadata = await startScriptedAgent(() => ({
    status: 200,
    body: {
      TaskARN: 'arn:aws:ecs:eu-west-1:111122223333:task/headwater-prod/e9028f8d5d8e4f25',
      Cluster: 'headwater-prod',
      Containers: [{ Networks: [{ IPv4Addresses: ['10.20.3.7'] }] }],
    },
  }));
  const functions = await startScriptedAgent(() => ({ status: 500, body: {} }));
  const program = await startProgram(join(image, 'transcoder/main.ts'), {
    ECS_CONTAINER_METADATA_URI_V4: metadata.url,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_LAMBDA: functions.url,
    HW_CONTROL: 'lambda',
    HW_BIND: '127.0.0.1',
    HW_MEDIA_TOKEN: TOKEN,
    HW_RTMP_PORT: '0',
    HW_MEDIA_PORT: '8000',
    PORT: '0',
    HW_METRICS_PORT: '0',
    HW_RECORD: 'off',
  });
  await functions.answered(1);
  const heartbeat = functions.requests.find(({ body }) => body !== undefined)?.body;
  expect(heartbeat).toMatchObject({
    operation: 'heartbeat',
    request: {
      serverId: 'e9028f8d5d8e4f25',
      address: { private: expect.stringMatching(/^http:\/\/10\.20\.3\.7:[0-9]+$/) },
      ingest: expect.stringMatching(/^10\.20\.3\.7:[0-9]+$/),
    },
  });
  expect((await fetch(`http://127.0.0.1:${program.ports['media']}/livez`)).status).toBe(200);
  expect(await program.stop()).toBe(0);
  expect(program.log()).not.toContain(TOKEN);
  await Promise.all([metadata.close(), functions.close()]);
});

it('starts the edge, with its pages', async () => {
  const program = await startProgram(join(image, 'origin-edge/entry/node.ts'), {
    HW_BIND: '127.0.0.1',
    HW_EDGE_PORT: '0',
    HW_METRICS_PORT: '0',
    HW_RESOLVE_URL: 'http://127.0.0.1:1/',
    HW_RESOLVE_TOKEN: TOKEN,
    HW_MEDIA_TOKEN: TOKEN,
  });
  const base = `http://127.0.0.1:${program.ports['edge']}`;
  expect((await fetch(`${base}/livez`)).status).toBe(200);
  const page = await (await fetch(`${base}/watch/demo`)).text();
  const assets = [...page.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css|svg))"/g)].map(([, path]) => path ?? '');
  expect(assets.length).toBeGreaterThan(0);
  for (const asset of assets) expect([asset, (await fetch(`${base}${asset}`)).status]).toEqual([asset, 200]);
  expect(await program.stop()).toBe(0);
});
