/**
 * The function `finalizeVod` behind the local Invoke endpoint, asked as a transcoder asks it: taken on at once, done
 * beside.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingKey } from '../../contracts/recording.ts';
import { MemoryStore } from '../../functions/finalize_vod/testing/memory_store.ts';
import { putRecording, SESSION, STREAM } from '../../functions/finalize_vod/testing/synthetic_recording.ts';
import { readSummary } from '../../functions/finalize_vod/read_recording.ts';
import { startFunctions } from '../../local/functions.ts';
import type { InvokeServer } from '../../local/invoke_server.ts';
import { createFileStore } from '../../storage/file_store.ts';
import { eventually } from '../one_machine/eventually.ts';

describe('the function finalizeVod', () => {
  let folder: string;
  let server: InvokeServer;
  let lines: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headwater-vod-function-'));
    lines = [];
    const env = {
      HW_FUNCTIONS_PORT: '0',
      HW_DATA_DIR: join(folder, 'data'),
      HW_RECORDING_STORE: `file:${join(folder, 'recordings')}`,
      HW_STREAM_KEYS: 'show=a-key-that-nobody-sees',
    };
    server = await startFunctions(env, (level, message, fields) => {
      lines.push(JSON.stringify({ level, message, ...fields }));
    });
  });

  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  function invoke(payload: object, type: 'Event' | 'RequestResponse'): Promise<Response> {
    const url = `http://127.0.0.1:${server.port}/2015-03-31/functions/headwater-finalizeVod/invocations`;
    const headers = { 'x-amz-invocation-type': type };
    return fetch(url, { method: 'POST', headers, body: JSON.stringify(payload) });
  }

  it('takes the request on, and makes the recording final', async () => {
    const store = createFileStore(join(folder, 'recordings'));
    const memory = new MemoryStore();
    putRecording(memory, [{ epoch: 7, firstMsn: 100, segments: 5 }]);
    for (const [key, { body }] of memory.objects) {
      await store.put(key, [body], { contentType: 'application/octet-stream', cacheControl: 'no-store' });
    }
    const reply = await invoke({ streamId: STREAM, sessionId: SESSION }, 'Event');
    expect([reply.status, await reply.text()]).toEqual([202, '']);
    await eventually('the recording is final', 10_000, async () => {
      return (await store.head(recordingKey.open(STREAM, SESSION))) === undefined;
    });
    expect(await readSummary(store, STREAM, SESSION)).toMatchObject({ revision: 1, duration: 10 });
    const again = await invoke({ streamId: STREAM, sessionId: SESSION }, 'RequestResponse');
    expect(await again.json()).toMatchObject({ outcome: 'unchanged', revision: 1 });
    expect(lines.filter((line) => line.includes('"answered"'))).toHaveLength(2);
  });

  it('names the bad field of a bad request', async () => {
    const reply = await invoke({ streamId: 'Not A Stream', sessionId: SESSION }, 'RequestResponse');
    expect(await reply.json()).toMatchObject({
      error: { code: 'bad-request', message: expect.stringContaining('request.streamId') },
    });
  });

  it('says empty of a session that nothing is known of', async () => {
    const reply = await invoke({ streamId: 'nobody', sessionId: SESSION }, 'RequestResponse');
    expect(await reply.json()).toMatchObject({ outcome: 'empty' });
  });
});
