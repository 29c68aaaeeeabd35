import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classicAvcBody, inspectVideoTag } from './video_tag.ts';
import type { VideoTag } from './video_tag.ts';

function inspect(hex: string): Partial<VideoTag> | undefined {
  const tag = inspectVideoTag(Buffer.from(hex, 'hex'));
  if (tag === undefined) return undefined;
  const { data: _data, ...rest } = tag;
  return rest;
}

const H264 = { codec: 'h264', enhanced: false, compositionTimeMs: 0, keyFrame: false } as const;

describe('inspectVideoTag', () => {
  it.each([
    ['170000000001', { ...H264, packet: 'sequence-header' }],
    ['17010000430000', { ...H264, packet: 'frame', keyFrame: true, compositionTimeMs: 67 }],
    ['2701ffffdf0000', { ...H264, packet: 'frame', compositionTimeMs: -33 }],
    ['1702000000', { ...H264, packet: 'sequence-end' }],
    ['5700', { ...H264, packet: 'other' }],
    ['220000', { ...H264, codec: 'sorenson-h263', packet: 'frame' }],
    ['1c0000000001', { ...H264, codec: 'hevc', packet: 'sequence-header' }],
    ['9068766331', { ...H264, codec: 'hevc', packet: 'sequence-header', enhanced: true }],
    ['9361763031', { ...H264, codec: 'av1', packet: 'frame', enhanced: true, keyFrame: true }],
    ['a176703039', { ...H264, codec: 'vp9', packet: 'frame', enhanced: true }],
    ['916176633100002100', { ...H264, packet: 'frame', enhanced: true, keyFrame: true, compositionTimeMs: 33 }],
    ['9661766331', { ...H264, codec: 'unknown', packet: 'other', enhanced: true }],
    ['', undefined],
    ['1701', undefined],
    ['906876', undefined],
  ])('%s', (hex, wanted) => {
    expect(inspect(hex)).toEqual(wanted);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        expect(() => inspectVideoTag(Buffer.from(bytes))).not.toThrow();
      }),
    );
  });

  it('rewrites an enhanced H.264 tag as a classic one', () => {
    const body = Buffer.from('916176633100002100aabb', 'hex');
    const tag = inspectVideoTag(body);
    expect(tag && classicAvcBody(tag, body).toString('hex')).toBe('170100002100aabb');
    const header = Buffer.from('906176633101', 'hex');
    const headerTag = inspectVideoTag(header);
    expect(headerTag && classicAvcBody(headerTag, header).toString('hex')).toBe('170000000001');
    const classic = Buffer.from('170000000001', 'hex');
    const classicTag = inspectVideoTag(classic);
    expect(classicTag && classicAvcBody(classicTag, classic)).toBe(classic);
  });
});
