/**
 * Who may do what: each role's rights as a whole, and what must be encrypted or closed.
 */
import { describe, expect, it } from 'vitest';
import type { Stacks } from './reachability_suite.ts';
import { resourceOf, resourcesOf } from './template.ts';
import type { DecidedStack } from './template.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

function statementsOf(stack: DecidedStack, role: string): readonly Statement[] {
  const policies = (stack.resources[role]?.Properties['Policies'] ?? []) as readonly {
    readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  }[];
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}

const NETWORK_OF_LAMBDA = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];
/** Actions for which AWS knows no narrower resource. */
const ON_EVERYTHING: ReadonlySet<string> = new Set([...NETWORK_OF_LAMBDA, 'ecr:GetAuthorizationToken']);

/** Rights beside logs and Lambda's network, by role. */
const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  AuthorizePublishRole: ['secretsmanager:GetSecretValue'],
  RegistryRole: ['sqs:SendMessage'],
  ResolveRole: [],
  FinalizeVodRole: [
    's3:GetObject',
    's3:PutObject',
    's3:PutObjectTagging',
    's3:DeleteObject',
    's3:ListBucket',
    'sqs:SendMessage',
    'sqs:SendMessage',
  ],
  ReapSessionsRole: ['sqs:SendMessage', 's3:ListBucket', 'lambda:InvokeFunction'],
  DeliverWebhookRole: [
    'sqs:ReceiveMessage',
    'sqs:DeleteMessage',
    'sqs:GetQueueAttributes',
    'sqs:ChangeMessageVisibility',
  ],
  TranscoderRole: [
    'lambda:InvokeFunction',
    's3:PutObject',
    's3:PutObjectTagging',
    's3:GetObject',
    's3:ListBucket',
    'ecs:GetTaskProtection',
    'ecs:UpdateTaskProtection',
    'ecs:DescribeTasks',
    'ecs:DescribeServices',
  ],
  EdgeRole: ['s3:GetObject', 's3:ListBucket'],
  TranscoderExecutionRole: [
    'ecr:GetAuthorizationToken',
    'ecr:BatchCheckLayerAvailability',
    'ecr:GetDownloadUrlForLayer',
    'ecr:BatchGetImage',
    'secretsmanager:GetSecretValue',
  ],
  EdgeExecutionRole: [
    'ecr:GetAuthorizationToken',
    'ecr:BatchCheckLayerAvailability',
    'ecr:GetDownloadUrlForLayer',
    'ecr:BatchGetImage',
    'secretsmanager:GetSecretValue',
  ],
};

export function rightsSuite(stacks: () => Stacks): void {
  describe('rights', () => {
    it('are the least, role by role', () => {
      const { everything } = stacks();
      const found = Object.fromEntries(
        resourcesOf(everything, 'AWS::IAM::Role').map(([role]) => [
          role,
          statementsOf(everything, role)
            .filter(({ Effect }) => Effect === 'Allow')
            .flatMap(({ Action }) => [Action].flat())
            .filter((action) => !action.startsWith('logs:') && !NETWORK_OF_LAMBDA.includes(action)),
        ]),
      );
      expect(found).toEqual(RIGHTS);
    });

    it('name no action by a star, and no resource by one where AWS knows a narrower', () => {
      const { everything } = stacks();
      for (const [role] of resourcesOf(everything, 'AWS::IAM::Role')) {
        for (const { Effect, Action, Resource } of statementsOf(everything, role)) {
          if (Effect !== 'Allow') continue;
          for (const action of [Action].flat()) {
            expect(action).not.toContain('*');
            const isWide = [Resource].flat().includes('*');
            expect([role, action, isWide && !ON_EVERYTHING.has(action)]).toEqual([role, action, false]);
          }
        }
        expect(stacks().everything.resources[role]?.Properties['ManagedPolicyArns']).toBeUndefined();
      }
    });

    it('let a transcoder call three functions and touch recordings under their prefix alone', () => {
      const { everything } = stacks();
      const byAction = (action: string) =>
        statementsOf(everything, 'TranscoderRole').find(({ Action }) => [Action].flat().includes(action));
      expect(byAction('lambda:InvokeFunction')?.Resource).toEqual(
        ['AuthorizePublish', 'Registry', 'FinalizeVod'].map((name) => ({
          'Fn::GetAtt': [`${name}LambdaFunction`, 'Arn'],
        })),
      );
      expect(byAction('s3:PutObject')?.Resource).toEqual({ 'Fn::Sub': '${RecordingBucket.Arn}/recordings/*' });
      expect(byAction('s3:ListBucket')?.Condition).toEqual({ StringLike: { 's3:prefix': 'recordings/*' } });
      expect(JSON.stringify(byAction('ecs:UpdateTaskProtection')?.Resource)).toContain('task/${Cluster}/*');
    });

    it('open one function to callers without an account: the look-up, by its URL alone', () => {
      const open = resourcesOf(stacks().full, 'AWS::Lambda::Permission')
        .map(([, { Properties }]) => Properties)
        .filter(({ Principal }) => Principal === '*');
      expect(open).toHaveLength(2);
      for (const permission of open) {
        expect(JSON.stringify(permission['FunctionName'])).toContain('ResolveLambdaFunction');
        expect(permission['FunctionUrlAuthType'] === 'NONE' || permission['InvokedViaFunctionUrl'] === true).toBe(true);
      }
    });
  });

  describe('what is kept', () => {
    it('is encrypted, and no bucket is public or the origin of a CDN', () => {
      const { full } = stacks();
      for (const [, { Properties }] of resourcesOf(full, 'AWS::S3::Bucket')) {
        expect(Properties['BucketEncryption']).toBeDefined();
        expect(Properties['PublicAccessBlockConfiguration']).toEqual({
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        });
      }
      for (const [, { Properties }] of resourcesOf(full, 'AWS::SQS::Queue')) {
        expect(Properties['SqsManagedSseEnabled']).toBe(true);
      }
      const { DistributionConfig: distribution } = resourceOf(full, 'Distribution').Properties as {
        readonly DistributionConfig: { readonly Origins: unknown };
      };
      const { Origins: origins } = distribution;
      expect(JSON.stringify(origins)).not.toMatch(/Bucket|s3/i);
      expect(full.resources['RecordingBucket']?.DeletionPolicy).toBe('Retain');
    });

    it('holds no secret in the clear: they are references, in the template and in what is handed over', () => {
      const text = JSON.stringify(stacks().full);
      for (const name of ['HW_RESOLVE_TOKEN', 'HW_AUTH_WEBHOOK_SECRET', 'HW_EVENT_WEBHOOK_SECRET']) {
        expect(text).toMatch(
          new RegExp(`"${name}":\\{"Fn::Sub":"(?:whsec_)?\\{\\{resolve:secretsmanager:\\$\\{[A-Za-z]+\\}\\}\\}"`),
        );
      }
      expect(text).not.toMatch(/whsec_[A-Za-z0-9+/]{8}/);
      const keys = stacks().full.resources['StreamKeysSecret']?.Properties ?? {};
      expect(Object.keys(keys)).toEqual(['Name', 'Description']);
    });
  });
}
