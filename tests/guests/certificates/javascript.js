console.log(require('node:tls').rootCertificates.length)
