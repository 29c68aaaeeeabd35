import { describe, expect, test } from 'vitest';
import { SETTINGS, SETTING_NAMES } from './setting_table.ts';
import { readSettings, refuseUnknownSettings } from './settings.ts';

describe('settings', () => {
  test('an unset environment gives the defaults', () => {
    const values = readSettings(SETTINGS, {});
    expect(values).toMatchObject({
      rtmpPort: 1935,
      edgePort: 8080,
      segmentSeconds: 2,
      partSeconds: 0.5,
      reconnectWindow: 60,
    });
    expect(values.goodbyeWindow).toBe(10);
    expect(values.topRendition).toBe('copy');
  });

  test.each([
    ['HW_RTMP_PORT', '70000', 'HW_RTMP_PORT: got "70000", wanted a whole number from 0 to 65535'],
    ['HW_RTMP_PORT', '1935x', 'HW_RTMP_PORT: got "1935x", wanted a whole number from 0 to 65535'],
    ['HW_PART_SECONDS', '0.1', 'HW_PART_SECONDS: got "0.1", wanted a number from 0.2 to 1'],
    ['HW_TOP_RENDITION', 'both', 'HW_TOP_RENDITION: got "both", wanted one of copy, encode'],
    ['HW_AUTH_WEBHOOK_URL', 'ftp://x', 'HW_AUTH_WEBHOOK_URL: got "ftp://x", wanted an http:// or https:// URL'],
    [
      'HW_EVENT_WEBHOOK_URL',
      'http://host:99999/',
      'HW_EVENT_WEBHOOK_URL: got "http://host:99999/…", wanted an http://',
    ],
    ['HW_PROXY_PROTOCOL', 'yes', 'HW_PROXY_PROTOCOL: got "yes", wanted 1 or 0'],
  ])('%s=%s is refused in one line', (name, value, message) => {
    expect(() => readSettings(SETTINGS, { [name]: value })).toThrow(message);
  });

  test.each([
    'http://user:hush-hush@host/x',
    'http://user:hush/hush-hush@host/x',
    'http://host:99999/hook?token=hush-hush',
    'https:///hush-hush',
  ])('%s is refused without what may be a secret in it', (value) => {
    expect(() => readSettings(SETTINGS, { HW_EVENT_WEBHOOK_URL: value })).toThrow(
      /^HW_EVENT_WEBHOOK_URL: got "(?!.*hush)/,
    );
  });

  test('an unknown name is refused, with the nearest known one', () => {
    expect(() => refuseUnknownSettings(SETTING_NAMES, { HW_RMTP_PORT: '1' })).toThrow(
      'HW_RMTP_PORT: there is no such setting; did you mean HW_RTMP_PORT?',
    );
    expect(() => refuseUnknownSettings(SETTING_NAMES, { HW_TEST_FULL: '1', PATH: '/bin' })).not.toThrow();
  });
});
