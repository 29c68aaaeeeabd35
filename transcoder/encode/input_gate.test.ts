import { describe, expect, it } from 'vitest';
import type { MediaTag } from '../flv/media_tag.ts';
import { InputGate, MAX_QUEUED_BYTES } from './input_gate.ts';

function video(hex: string): MediaTag {
  return { kind: 'video', timestampMs: 0, body: Buffer.from(hex, 'hex') };
}

function audio(hex: string): MediaTag {
  return { kind: 'audio', timestampMs: 0, body: Buffer.from(hex, 'hex') };
}

const VIDEO_HEADER = video('170000000001');
const KEY = video('170100000001');
const INTER = video('270100000001');
const AUDIO_HEADER = audio('af001190');
const AUDIO = audio('af0121');
const FULL = MAX_QUEUED_BYTES + 1;

describe('InputGate', () => {
  it('leaves out what FFmpeg has no use for', () => {
    const gate = new InputGate({ hasVideo: true, hasAudio: true });
    for (const tag of [VIDEO_HEADER, KEY, INTER, AUDIO_HEADER, AUDIO]) expect(gate.admit(tag, 0)).toBe(tag);
    const useless = [
      { kind: 'metadata', timestampMs: 0, body: Buffer.from('0200', 'hex') } as const,
      VIDEO_HEADER,
      AUDIO_HEADER,
      video(''),
      video('1701000000'),
      video('1702000000'),
      video('5700'),
      video('9068766331'),
      audio(''),
      audio('af01'),
      audio('904f707573'),
    ];
    for (const tag of useless) expect(gate.admit(tag, 0)).toBeUndefined();
    expect(gate.droppedTags).toBe(0);
  });

  it('passes a changed header on', () => {
    const gate = new InputGate({ hasVideo: true, hasAudio: true });
    gate.admit(VIDEO_HEADER, 0);
    const changed = video('170000000002');
    expect(gate.admit(changed, 0)).toBe(changed);
  });

  it('leaves out a track that is not in the plan', () => {
    expect(new InputGate({ hasVideo: false, hasAudio: true }).admit(KEY, 0)).toBeUndefined();
    expect(new InputGate({ hasVideo: true, hasAudio: false }).admit(AUDIO, 0)).toBeUndefined();
  });

  it('drops to the next key frame when too much waits', () => {
    const gate = new InputGate({ hasVideo: true, hasAudio: true });
    expect(gate.admit(INTER, FULL)).toBeUndefined();
    expect(gate.admit(AUDIO, FULL)).toBeUndefined();
    expect(gate.admit(INTER, 0)).toBeUndefined();
    expect(gate.admit(AUDIO, 0)).toBeUndefined();
    expect(gate.admit(KEY, MAX_QUEUED_BYTES - 1)).toBeUndefined();
    expect(gate.droppedTags).toBe(5);
    expect(gate.admit(KEY, 1000)).toBe(KEY);
    expect(gate.admit(INTER, 1000)).toBe(INTER);
    expect(gate.admit(AUDIO, 1000)).toBe(AUDIO);
    expect(gate.droppedTags).toBe(5);
  });

  it('goes on at any frame with audio alone', () => {
    const gate = new InputGate({ hasVideo: false, hasAudio: true });
    expect(gate.admit(AUDIO, FULL)).toBeUndefined();
    expect(gate.admit(AUDIO, 0)).toBe(AUDIO);
  });

  it('takes at its start what was kept for it, however much, and then no more than usual', () => {
    const size = 9 * 1024 * 1024;
    const kept = { ...INTER, body: Buffer.concat([INTER.body, Buffer.alloc(size)]) };
    const gate = new InputGate({ hasVideo: true, hasAudio: true }, 2 * size);
    expect(gate.admit(kept, 0)).toBe(kept);
    expect(gate.admit(kept, size)).toBe(kept);
    expect(gate.admit(INTER, 2 * size)).toBe(INTER);
    expect(gate.admit(INTER, 1000)).toBe(INTER);
    expect(gate.admit(INTER, FULL)).toBeUndefined();
  });
});
