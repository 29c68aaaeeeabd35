import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertNoSecret } from './assert_no_secret.ts';

const secret = 'k3y with/space&"quote"';
const find = (text: string) => () => {
  assertNoSecret(text, { 'the stream key': secret });
};

describe('assertNoSecret', () => {
  it('says which secret stands where, and does not repeat it', () => {
    expect(find(`a\nb ${secret}\n`)).toThrow('the stream key stands in the text (as it is), line 2');
    expect(find(`a ${secret}`)).not.toThrow(secret);
  });

  it('finds it encoded', () => {
    expect(find(`/live/${encodeURIComponent(secret)}`)).toThrow('URL-encoded');
    expect(find(new URLSearchParams({ name: secret }).toString())).toThrow('as a form field');
    expect(find(JSON.stringify({ secret }))).toThrow('JSON');
    expect(find(Buffer.from(secret).toString('hex').toUpperCase())).toThrow('hex');
  });

  it('finds it inside any base64', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        expect(find(Buffer.from(before + secret + after).toString('base64'))).toThrow('base64');
        expect(find(Buffer.from(before + secret + after).toString('base64url'))).toThrow('base64');
      }),
    );
  });

  it('lets other text pass', () => {
    expect(find('publisher accepted as demo, connection 7, key ****')).not.toThrow();
    expect(find('')).not.toThrow();
  });

  it('refuses a secret that would be found by accident', () => {
    expect(() => {
      assertNoSecret('x', { 'the token': 'abc' });
    }).toThrow('wanted 8 or more');
  });
});
