import { createHmac, timingSafeEqual } from 'node:crypto';

import {
  NodeApiError,
  NodeConnectionTypes,
  NodeOperationError,
  type IDataObject,
  type IExecuteFunctions,
  type IHttpRequestOptions,
  type INodeExecutionData,
  type INodeProperties,
  type INodeType,
  type INodeTypeDescription,
  type IWebhookFunctions,
  type IWebhookResponseData,
  type JsonObject,
} from 'n8n-workflow';

const LANGUAGES = ['python', 'c', 'cpp', 'java', 'javascript', 'typescript', 'go', 'rust', 'lua', 'bash'];
const WAIT_SECS = 20;
const OPEN = ['pending', 'running'];
const MAX_AGE_SECS = 300;
const shown = (...operation: string[]) => ({ show: { operation } });

const PROPERTIES: INodeProperties[] = [
  {
    displayName: 'Operation',
    name: 'operation',
    type: 'options',
    noDataExpression: true,
    default: 'run',
    options: [
      { name: 'Run', value: 'run', action: 'Run a program', description: 'Run a program and return its result' },
      { name: 'Judge', value: 'judge', action: 'Judge a program', description: 'Run a program on test cases' },
      {
        name: 'Run and Wait for Webhook',
        value: 'wait',
        action: 'Run a program and wait for its webhook',
        description: 'For programs of more than 25 seconds: the workflow goes on when the result is sent to it',
      },
    ],
  },
  {
    displayName: 'Language',
    name: 'language',
    type: 'options',
    default: 'python',
    options: LANGUAGES.map((value) => ({ name: value, value })),
  },
  {
    displayName: 'Code',
    name: 'code',
    type: 'string',
    typeOptions: { rows: 8 },
    default: '',
    required: true,
    description: 'The whole program, at most 65,536 bytes',
  },
  { displayName: 'Input', name: 'stdin', type: 'string', default: '', displayOptions: shown('run', 'wait') },
  {
    displayName: 'Test Cases',
    name: 'cases',
    type: 'fixedCollection',
    typeOptions: { multipleValues: true },
    default: {},
    displayOptions: shown('judge'),
    options: [
      {
        name: 'case',
        displayName: 'Case',
        values: [
          { displayName: 'Input', name: 'stdin', type: 'string', default: '' },
          { displayName: 'Expected Output', name: 'expected', type: 'string', default: '' },
        ],
      },
    ],
  },
  {
    displayName: 'Webhook Secret',
    name: 'webhookSecret',
    type: 'string',
    typeOptions: { password: true },
    default: '',
    required: true,
    displayOptions: shown('wait'),
    description: 'Any text of 1 to 256 bytes. It signs the result, and no other request continues the workflow.',
  },
  {
    displayName: 'More Fields',
    name: 'more',
    type: 'json',
    default: '{}',
    description: 'Other fields of the request, such as {"limits": {"memory_mb": 256}, "profile": "agent"}',
  },
];

/** Whether a request is signed as Standard Webhooks says, with a secret that is no whsec_, and not old. */
export function isSigned(headers: IDataObject, body: string, secret: string, nowSecs: number): boolean {
  const time = String(headers['webhook-timestamp'] ?? '');
  if (!/^\d{1,12}$/.test(time) || Math.abs(nowSecs - Number(time)) > MAX_AGE_SECS) return false;
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const right = createHmac('sha256', key).update(`${headers['webhook-id']}.${time}.${body}`).digest();
  return String(headers['webhook-signature'] ?? '')
    .split(' ')
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice(3), 'base64'))
    .some((given) => given.length === right.length && timingSafeEqual(given, right));
}

export class Rustbox implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Rustbox',
    name: 'rustbox',
    group: ['transform'],
    version: 1,
    subtitle: '={{$parameter["operation"]}}',
    description: 'Run untrusted programs in a sandbox',
    defaults: { name: 'Rustbox' },
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: 'rustboxApi', required: true }],
    webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: '', restartWebhook: true }],
    properties: PROPERTIES,
  };

  async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
    const items = this.getInputData();
    const results: INodeExecutionData[] = [];
    if (this.getNodeParameter('operation', 0) === 'wait') {
      if (items.length !== 1) throw new NodeOperationError(this.getNode(), 'Waiting takes one item: use Loop Over Items.');
      await submit.call(this, 0, this.evaluateExpression('{{ $execution.resumeUrl }}', 0) as string);
      await this.putExecutionToWait(new Date('3000-01-01T00:00:00Z'));
      return [items];
    }
    for (let item = 0; item < items.length; item++) {
      try {
        results.push({ json: await submit.call(this, item), pairedItem: { item } });
      } catch (error) {
        if (!this.continueOnFail()) throw new NodeApiError(this.getNode(), error as JsonObject, { itemIndex: item });
        results.push({ json: { error: (error as Error).message }, pairedItem: { item } });
      }
    }
    return [results];
  }

  async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
    const request = this.getRequestObject();
    const body = (request.rawBody ?? Buffer.from(JSON.stringify(request.body))).toString('utf8');
    const secret = this.getNodeParameter('webhookSecret') as string;
    if (!isSigned(request.headers as IDataObject, body, secret, Date.now() / 1000)) {
      this.getResponseObject().status(401).json({ error: 'The signature is wrong or old.' });
      return { noWebhookResponse: true };
    }
    return { workflowData: [[{ json: JSON.parse(body) as IDataObject }]], webhookResponse: { received: true } };
  }
}

/** Send a program. Without a webhook: return its final result, however long it takes. */
async function submit(this: IExecuteFunctions, item: number, webhookUrl?: string): Promise<IDataObject> {
  const parameter = <T>(name: string, fallback: T) => this.getNodeParameter(name, item, fallback) as T;
  const isJudge = parameter<string>('operation', 'run') === 'judge';
  const more = parameter<string | IDataObject>('more', '{}');
  const body: IDataObject = {
    ...(typeof more === 'string' ? (JSON.parse(more || '{}') as IDataObject) : more),
    language: parameter('language', 'python'),
    code: parameter('code', ''),
  };
  if (isJudge) body.cases = parameter<IDataObject>('cases', {}).case ?? [];
  else body.stdin = parameter('stdin', '');
  if (webhookUrl) Object.assign(body, { webhook_url: webhookUrl, webhook_secret: parameter('webhookSecret', '') });
  const { url } = await this.getCredentials('rustboxApi', item);
  const base = String(url).replace(/\/+$/, '');
  const send = async (options: IHttpRequestOptions) => {
    const answer = (await this.helpers.httpRequestWithAuthentication.call(this, 'rustboxApi', {
      json: true,
      returnFullResponse: true,
      ignoreHttpStatusErrors: true,
      ...options,
    })) as { statusCode: number; body: IDataObject };
    if (answer.statusCode >= 400 && answer.statusCode !== 408) {
      const fields = (answer.body.fields as Array<{ field: string; message: string }> | undefined) ?? [];
      const said = fields.map((one) => `${one.field}: ${one.message}`).join(' ') || String(answer.body.message);
      throw new NodeOperationError(this.getNode(), said, { itemIndex: item });
    }
    return answer.body;
  };
  const wait = webhookUrl ? 'false' : 'true';
  let result = await send({ method: 'POST', url: `${base}/api/${isJudge ? 'judge' : 'submit'}?wait=${wait}`, body });
  while (!webhookUrl && OPEN.includes(String(result.status))) {
    result = await send({ method: 'GET', url: `${base}/api/${isJudge ? 'judge' : 'result'}/${result.id}?wait=${WAIT_SECS}` });
  }
  return result;
}
