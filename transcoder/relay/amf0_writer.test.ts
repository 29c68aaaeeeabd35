import { expect, test } from 'vitest';
import { Amf0Reader } from '../ingest/amf0_reader.ts';
import { writeAmf0 } from './amf0_writer.ts';

test('what is written is read back', () => {
  const values = ['connect', 1, true, null, { app: 'live', größe: 'ü', list: ['avc1', 'hvc1'] }, ['a']];
  const reader = new Amf0Reader(writeAmf0(values), { amfDepth: 4, amfValues: 50 });
  const read = values.map(() => reader.readValue());
  expect(reader.atEnd).toBe(true);
  expect(read).toEqual([
    'connect',
    1,
    true,
    null,
    new Map<string, unknown>([
      ['app', 'live'],
      ['größe', 'ü'],
      ['list', ['avc1', 'hvc1']],
    ]),
    ['a'],
  ]);
});
