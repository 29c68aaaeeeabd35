/**
 * `npm run hw` beside the one-machine run: it finds the program by its data folder, with nothing set for AWS.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { Stage } from './stage.ts';
import { makeTestSource } from './test_source.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-by-hand-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

function hw(...args: readonly string[]): Promise<{ readonly code: unknown; readonly text: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], HW_DATA_DIR: folder };
    execFile(process.execPath, ['local/hw.ts', ...args], { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, text: `${stdout}${stderr}`.trim() });
    });
  });
}

test('lists what is live and ends it, without an AWS setting', { timeout: 120_000 }, async () => {
  const stage = await Stage.open(['show'], { HW_DATA_DIR: folder });
  const path = join(folder, 'run', 'control.json');
  try {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await stage.publish('show', { source: await makeTestSource() });
    const viewer = stage.follow('show');
    await viewer.waitForSegments(2, 30_000);
    expect(await hw('streams')).toEqual({
      code: 0,
      text: expect.stringMatching(/^show {2}live {2}\S+ {2}[0-9A-Z]{26} /),
    });
    expect(await hw('end', 'other')).toEqual({ code: 1, text: 'that stream is not live' });
    expect(await hw('end', 'show')).toMatchObject({ code: 0 });
    await eventually('the show has ended', 15_000, async () => (await stage.status('show'))?.live === false);
    const { credentials } = JSON.parse(await readFile(path, 'utf8')) as { credentials: { secretAccessKey: string } };
    expect(stage.machine.log()).not.toContain(credentials.secretAccessKey);
  } finally {
    await stage.close();
  }
  expect(await hw('streams')).toEqual({
    code: 1,
    text: `no server runs here (there is no ${folder}/run/control.json), and no fleet is named: set HW_DATA_DIR, or AWS_REGION`,
  });
});

test.each([
  [
    '{"endpoint":"http://127.0.0.1:1","credentials":{"accessKeyId":"a","secretAccessKey":"b"}}',
    'has ended: start it again',
  ],
  ['{', 'wanted what a running server writes there'],
])('says in one line what is wrong with %s', async (content, said) => {
  await mkdir(join(folder, 'run'), { recursive: true });
  await writeFile(join(folder, 'run', 'control.json'), content);
  const { code, text } = await hw('streams');
  expect({ code, lines: text.split('\n').length }).toEqual({ code: 1, lines: 1 });
  expect(text).toContain(said);
});
