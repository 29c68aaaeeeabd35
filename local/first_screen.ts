/**
 * The first screen of the one-machine run: where to publish, with which key, where to watch.
 */
import type { OneMachine } from './one_machine.ts';

type Shown = Pick<OneMachine, 'ports' | 'bind' | 'demoKey'>;

/** Text for a terminal: the key is shown here and nowhere else. */
export function firstScreen(machine: Shown, options: { readonly demo: boolean }): string {
  const { ports, bind, demoKey } = machine;
  const open = bind === '0.0.0.0' || bind === '::';
  const host = open ? 'THIS-MACHINE' : bind;
  const streamId = demoKey === undefined ? 'STREAM' : 'demo';
  const lines = [
    '',
    '  Headwater is running.',
    '',
    '  Publish    OBS > Settings > Stream > Service: Custom',
    `               Server      rtmp://${host}:${ports.rtmp}/stream`,
    `               Stream Key  ${demoKey?.streamKey ?? 'one of yours (HW_STREAM_KEYS, or what your webhook accepts)'}`,
    ...(ports.rtmps === undefined ? [] : [`               over TLS    rtmps://${host}:${ports.rtmps}/stream`]),
    `  Watch      http://${host}:${ports.edge}/watch/${streamId}`,
    `  Playlist   http://${host}:${ports.edge}/${streamId}/live.m3u8`,
    ...(options.demo
      ? ['', '  A test picture is live as the stream "demo"; it makes way when you publish with the key.']
      : []),
    ...(demoKey === undefined ? [] : ['', `  The key is kept in ${demoKey.path}`]),
    ...(open ? [] : ['', '  Only this machine can connect. To open it to the network: HW_BIND=0.0.0.0 script/server']),
    '',
    '  Ctrl-C stops it.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
