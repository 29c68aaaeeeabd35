/**
 * FAULTS row 45 on the whole system: targets that are no targets are refused with a reason, nobody is written to, the
 * stream itself goes live, and no key shows up anywhere.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reportFault } from '../faults/fault_report.ts';
import { childrenOf, commandLineOf } from '../one_machine/child_processes.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';
import { startPublishHook } from './publish_hook.ts';
import type { PublishHook } from './publish_hook.ts';
import { OddTarget } from './relay_stage.ts';

const KEY = 's3cret-of-a-target';
const QUERY_KEY = 'query-s3cret-of-a-target';
const FILE = '/tmp/headwater-relay-must-not-write.flv';
let tripwire: OddTarget;
let hook: PublishHook;
let machine: MachineProcess;
let publisher: PacedPublisher;

/** Relays by name, and what is said of each. */
function forms(port: number): Readonly<Record<string, readonly [url: string, reason: RegExp]>> {
  const good = `rtmp://127.0.0.1:${port}/live/${KEY}`;
  return {
    file: [`file://${FILE}`, /wanted an rtmp/],
    path: [FILE, /wanted an rtmp/],
    pipe: ['pipe:1', /wanted an rtmp/],
    'shell-pipe': [`|nc 127.0.0.1 ${port}`, /spaces/],
    http: [`http://127.0.0.1:${port}/live/${KEY}`, /wanted an rtmp/],
    option: ['-f', /wanted an rtmp/],
    'option-in-front': [`-listen 1 ${good}`, /spaces/],
    'option-behind': [`${good} live=1 pageUrl=x`, /spaces/],
    'two-urls': [`${good} ${good}`, /spaces/],
    'two-urls-tee': [`${good}|${good}`, /second one/],
    'two-urls-hidden': [`${good}?x=rtmp%3A%2F%2F127.0.0.1%3A${port}%2Flive%2Fx`, /second URL/],
    control: [`${good}\r\nx`, /control/],
    'control-hidden': [`${good}?x=%0d%0a`, /control/],
    user: [`rtmp://user:${KEY}@127.0.0.1:${port}/live/x`, /user name/],
    number: [`rtmp://2130706433:${port}/live/${KEY}`, /not a name or an address/],
    hexadecimal: [`rtmp://0x7f.1:${port}/live/${KEY}`, /not a name or an address/],
    loopback: [good, /not public \(loopback\)/],
    'loopback-name': [`rtmp://localhost:${port}/live/${KEY}`, /not public \(loopback\)/],
    'loopback-v6': [`rtmp://[::1]:${port}/live/${KEY}`, /not public \(loopback\)/],
    'loopback-mapped': [`rtmp://[::ffff:127.0.0.1]:${port}/live/${KEY}`, /not public \(loopback\)/],
    'loopback-tls': [`rtmps://127.0.0.1:${port}/live/${KEY}`, /not public \(loopback\)/],
    private: [`rtmp://10.0.0.1/live/${KEY}`, /not public \(private\)/],
    'link-local': [`rtmp://169.254.169.254/live/${KEY}`, /not public \(link-local\)/],
  };
}

beforeAll(async () => {
  tripwire = await OddTarget.listen(() => undefined);
  const relays = Object.entries(forms(tripwire.port)).map(([name, [url]]) => ({ name, url }));
  hook = await startPublishHook('relayed', relays);
  machine = await startMachine({ ...hook.env, HW_RELAY_SERVICES: `facebook=rtmp://127.0.0.1:${tripwire.port}/rtmp` });
  publisher = await PacedPublisher.start({
    port: machine.ports.rtmp,
    key: 'any-publisher-key',
    query: `youtube=/etc/passwd&twitch=-f&facebook=${QUERY_KEY}&facebook_a=also-${QUERY_KEY}`,
    source: await makeTestSource(),
  });
});

afterAll(async () => {
  await publisher.reset();
  await machine.stop();
  hook.close();
  tripwire.close();
});

test('the stream goes live, each target is refused with a reason, and nobody was written to', async () => {
  const wanted = Object.entries({
    ...forms(tripwire.port),
    youtube: ['', /stream key/] as const,
    twitch: ['', /stream key/] as const,
    facebook: ['', /not public \(loopback\)/] as const,
  });
  await eventually('the stream is live', 20_000, async () => {
    const reply = await fetch(`http://127.0.0.1:${machine.ports.edge}/relayed/status.json`);
    return (await reply.text()).includes('"state":"live"');
  });
  const reasons = await eventually('every target was refused', 5000, () => {
    const lines = machine
      .log()
      .split('\n')
      .filter((line) => line.includes('"relay":'));
    const read = lines.map((line) => JSON.parse(line) as { relay: string; reason: string; streamId: string });
    return read.length >= wanted.length && new Map(read.map(({ relay, reason }) => [relay, reason]));
  });
  for (const [name, [, reason]] of wanted) expect(`${name}: ${reasons.get(name) ?? ''}`).toMatch(reason);
  expect({ connections: tripwire.connections, bytes: tripwire.bytes, file: existsSync(FILE) }).toEqual({
    connections: 0,
    bytes: 0,
    file: false,
  });
  await reportFault({ row: '45', measured: `${tripwire.bytes} bytes written, ${wanted.length} targets refused` });
});

test('no key stands in the log, the metrics or an argument list', async () => {
  const metrics = await (await fetch(`http://127.0.0.1:${machine.ports.metrics}/metrics`)).text();
  const processes = [machine.pid, ...childrenOf(machine.pid)].map(commandLineOf);
  const secrets = { 'the target key': KEY, 'the key of the query': QUERY_KEY, 'the stream key': 'any-publisher-key' };
  assertNoSecret([machine.log(), metrics, ...processes].join('\n'), secrets);
  expect(metrics).not.toContain('127.0.0.1');
});
