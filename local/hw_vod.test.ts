import { describe, expect, it } from 'vitest';
import { readVodCommand } from './hw_vod.ts';

const SESSION = '01JD0000000000000000000000';
const NOTHING = { yes: false, open: false, quick: false };

describe('readVodCommand', () => {
  it.each([
    [['verify', `show/${SESSION}`], { verb: 'verify', ...NOTHING }],
    [['verify', 'show', SESSION, '--quick'], { verb: 'verify', ...NOTHING, quick: true }],
    [['delete', `show/${SESSION}`], { verb: 'delete', ...NOTHING }],
    [['delete', 'show', SESSION, '--yes', '--open'], { verb: 'delete', yes: true, open: true, quick: false }],
  ])('reads %j', (args, wanted) => {
    expect(readVodCommand(args)).toEqual({ streamId: 'show', sessionId: SESSION, ...wanted });
  });

  it.each([
    [[]],
    [['verify']],
    [['verify', 'show']],
    [['verify', 'show', SESSION, 'more']],
    [['verify', `show/${SESSION}`, '--yes']],
    [['delete', `show/${SESSION}`, '--quick']],
    [['publish', `show/${SESSION}`]],
  ])('takes %j for no command', (args) => {
    expect(readVodCommand(args)).toBeUndefined();
  });

  it.each([
    [`Show/${SESSION}`, 'streamId'],
    ['show/yesterday', 'sessionId'],
    [`../${SESSION}`, 'streamId'],
  ])('says what is wrong with %s', (name, field) => {
    expect(() => readVodCommand(['delete', name])).toThrow(field);
  });
});
