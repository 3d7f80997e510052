// What the quickstart's three agents do, and what must come of it: demo.mjs makes these calls, and
// the tests ask `reeve explain` about each of them.
const query = JSON.stringify({sql: 'select region, sum(revenue) from orders group by region'});

// `allow` and `deny` name the rule that must decide, null none; `capped` the budget that must be
// spent. `show` tells of an answer; where it is missing, what is spent by then is shown.
export const agents = [
  {
    name: 'casey',
    role: 'customer service: the CRM, but not finance',
    calls: [
      {
        http: 'GET crm/customers/c-1042',
        allow: 'work-in-crm',
        show: (body) => `${body.name}, ${body.plan}`
      },
      {
        http: 'POST crm/tickets/t-7/replies',
        body: '{"text": "It is on its way"}',
        allow: 'work-in-crm',
        show: (body) => `"${body.reply}"`
      },
      {http: 'DELETE crm/customers/c-1042', deny: null},
      {http: 'GET finance/invoices', deny: 'no-finance'},
      {list: 'toolbox', sees: ['echo', 'get-structured-content']},
      {
        tool: 'toolbox get-structured-content',
        args: {location: 'Chicago'},
        allow: 'everyday-tools',
        show: (result) => {
          const now = result.structuredContent;
          return `${now.conditions}, ${now.temperature} °C`;
        }
      },
      {tool: 'toolbox get-env', args: {}, deny: 'no-server-secrets'},
    ]
  },
  {
    name: 'parker',
    role: 'procurement: reads suppliers, changes no contract',
    calls: [
      {
        http: 'GET suppliers/s-91',
        allow: 'read-suppliers',
        show: (body) => `${body.name}, ${body.price} EUR/t`
      },
      {
        http: 'GET contracts/k-3',
        allow: 'read-contracts',
        show: (body) => `discount ${body.discount} %`
      },
      {http: 'PUT contracts/k-3', body: '{"discount": 40}', deny: 'contracts-stay-as-signed'},
    ]
  },
  {
    name: 'avery',
    role: 'analytics: one database, 0.30 USD a query, 1.00 USD a day',
    calls: [
      {http: 'POST warehouse/databases/payroll/query', body: query, deny: null},
      {list: 'toolbox', sees: ['echo', 'get-structured-content', 'get-sum']},
      {http: 'POST warehouse/databases/sales/query', body: query, allow: 'query-sales'},
      {http: 'POST warehouse/databases/sales/query', body: query, allow: 'query-sales'},
      {http: 'POST warehouse/databases/sales/query', body: query, allow: 'query-sales'},
      {http: 'POST warehouse/databases/sales/query', body: query, capped: 'analytics-daily'},
    ]
  },
];
