import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLocalEvents } from './local_events.ts';

test('a folder or a file that cannot hold events is named, with its setting, in one line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-local-events-'));
  const open = (dataDir: string) =>
    openLocalEvents(
      {
        dataDir,
        eventQueueUrl: undefined,
        healthQueueUrl: undefined,
        eventWebhookUrl: 'http://127.0.0.1/hook',
        eventWebhookSecret: undefined,
        webhookAllowPrivate: true,
      },
      () => undefined,
    );
  try {
    await writeFile(join(folder, 'events.sqlite'), 'this is no file of SQLite, but long enough to be looked at');
    await expect(open(folder)).rejects.toThrow(
      /^HW_DATA_DIR: \S+\/events\.sqlite cannot be used for events \([^\n]+\)$/,
    );
    await expect(open(join(folder, 'events.sqlite'))).rejects.toThrow(
      /^HW_DATA_DIR: \S+ cannot be used for events \(E[^\n]+\)$/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
