import { describe, expect, test } from 'vitest';
import type { StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import { MAX_RELAYS, planRelays } from './relay_plan.ts';
import { DEFAULT_RELAY_SERVICES, parseRelayServices } from './relay_services.ts';

function plan(
  query: Readonly<Record<string, string>>,
  relays: PublishGrant['relays'] = [],
  services = DEFAULT_RELAY_SERVICES,
) {
  const planned = planRelays({ grant: { streamId: 'demo' as StreamId, relays }, query }, services);
  const shown = planned.relays.map(
    ({ name, mode, endpoint }) => `${name} ${mode} ${endpoint.tcUrl}/${endpoint.playName()}`,
  );
  return { relays: shown, refused: planned.refused };
}

describe('the relays that a publication asks for', () => {
  test('services by name', () => {
    expect(
      plan({ youtube: 'yt-key', twitch: 'live_1_tw?bandwidthtest=true', facebook: 'FB-1-0-x', other: 'x' }),
    ).toEqual({
      relays: [
        'youtube copy rtmps://a.rtmps.youtube.com:443/live2/yt-key',
        'twitch copy rtmps://ingest.global-contribute.live-video.net:443/app/live_1_tw?bandwidthtest=true',
        'facebook copy rtmps://live-api-s.facebook.com:443/rtmp/FB-1-0-x',
      ],
      refused: [],
    });
  });

  test('a relay of the webhook that is not as wanted is refused alone, under a name that a log may show', () => {
    const url = 'rtmp://relay.example/live/secret';
    expect(
      plan({}, [
        { name: 'rtmp://x/secret', url, mode: 'copy' },
        { name: 'odd', url, mode: 'push' },
        { name: 'long', url: `${url}${'x'.repeat(2048)}`, mode: 'copy' },
        { name: 'good', url, mode: 'copy' },
      ]),
    ).toEqual({
      relays: ['good copy rtmp://relay.example:1935/live/secret'],
      refused: [
        { name: 'relay-1', reason: 'its name is not [a-z0-9][a-z0-9_-]{0,31}' },
        { name: 'odd', reason: 'its mode is neither copy nor transcode' },
        { name: 'long', reason: 'its address is longer than 2048 characters' },
      ],
    });
  });

  test("Facebook's old form", () => {
    const query = {
      facebook: '123456789',
      facebook_s_bl: '1',
      facebook_s_sc: '987',
      facebook_s_sw: '0',
      facebook_s_vt: 'api-s',
      facebook_a: 'AbzYx-w_v+u=',
    };
    expect(plan(query).relays).toEqual([
      'facebook copy rtmps://live-api-s.facebook.com:443/rtmp/123456789?s_bl=1&s_sc=987&s_sw=0&s_vt=api-s&a=AbzYx-w_v%2Bu%3D',
    ]);
  });

  test('parameters without their service ask for nothing', () => {
    expect(plan({ youtube_backup: '1' })).toEqual({ relays: [], refused: [] });
  });

  test("the webhook's targets come first, and own their names", () => {
    const relays = [{ name: 'youtube', url: 'rtmp://a.example/live/k', mode: 'transcode' }] as const;
    expect(plan({ youtube: 'yt-key' }, [...relays])).toEqual({
      relays: ['youtube transcode rtmp://a.example:1935/live/k'],
      refused: [{ name: 'youtube', reason: 'there is another relay of this name' }],
    });
  });

  test.each([
    '',
    '-f',
    'a/b',
    '../x',
    'a b',
    'rtmp://b.example/live/x',
    'k?a=1?b=2',
    'k\n',
    'k|x',
    'k?x=%00',
    '/etc/passwd',
  ])('refuses the key %j, and nothing else', (key) => {
    const { relays, refused } = plan({ youtube: key, twitch: 'fine' });
    expect(relays).toHaveLength(1);
    expect(refused).toMatchObject([{ name: 'youtube' }]);
    expect(refused[0]?.reason.includes(key) === true && key.length > 2).toBe(false);
  });

  test('parameters cannot leave the query', () => {
    const { relays, refused } = plan({ youtube: 'key', youtube_x: 'a&b=c#d/../e' });
    expect(refused).toEqual([]);
    expect(relays[0]).toMatch(/\/key\?x=a%26b%3Dc%23d%2F\.\.%2Fe$/);
    expect(plan({ youtube: 'key', youtube_x: 'rtmp://b.example/x' }).refused).toHaveLength(1);
  });

  test('a stream has so many relays and no more', () => {
    const relays = Array.from({ length: MAX_RELAYS + 1 }, (_, index) => ({
      name: `n${index}`,
      url: 'rtmp://a.example/live/k',
      mode: 'copy' as const,
    }));
    const planned = plan({}, relays);
    expect(planned.relays).toHaveLength(MAX_RELAYS);
    expect(planned.refused).toEqual([{ name: `n${MAX_RELAYS}`, reason: `a stream may have ${MAX_RELAYS} relays` }]);
  });

  test("the operator's table", () => {
    const services = parseRelayServices(
      'youtube=rtmp://lab.example:1940/live/,my=rtmp://m.example/a, my_tube=rtmp://t.example/b;transcode,facebook=off',
    );
    expect(
      plan({ youtube: 'k', facebook: 'k', my: 'k', my_x: '1', my_tube: 'k', my_tube_y: '2' }, [], services),
    ).toEqual({
      relays: [
        'youtube copy rtmp://lab.example:1940/live/k',
        'my copy rtmp://m.example:1935/a/k?x=1',
        'my_tube transcode rtmp://t.example:1935/b/k?y=2',
      ],
      refused: [],
    });
  });

  test.each([
    'youtube',
    'You=rtmp://a/b',
    'a=file:///x',
    'a=rtmp://a',
    'a=rtmp://a/b;encode',
    'a=rtmp://a/b?c=d',
    '=off',
  ])('an operator is told of the entry %j', (text) => {
    expect(() => parseRelayServices(text)).toThrow(/^[^\n]+$/);
  });
});
