import { expect, test } from 'vitest';
import { SessionCompanions } from './session_companion.ts';
import type { SessionCompanion } from './session_companion.ts';
import { silentLogger } from './testing/silent_logger.ts';

test('a companion that throws is dropped, the others go on', async () => {
  const heard: string[] = [];
  const broken: SessionCompanion = {
    name: 'broken',
    media: () => {
      heard.push('broken media');
      throw new Error('no room');
    },
    ended: async () => {
      heard.push('broken ended');
    },
  };
  const sound: SessionCompanion = {
    name: 'sound',
    media: () => heard.push('sound media'),
    ended: async (how) => {
      heard.push(`sound ${how}`);
    },
  };
  const companions = new SessionCompanions([broken, sound], silentLogger);
  const tag = { kind: 'audio', timestampMs: 0, body: Buffer.alloc(1) } as const;
  companions.tell('media', tag);
  companions.tell('media', tag);
  await companions.ended('moved');
  expect(heard).toEqual(['broken media', 'sound media', 'sound media', 'sound moved']);
});
