# Debian's /etc/profile leaves the sbin directories to root; on Amazon Linux everyone has them.
PATH=/usr/local/bin:/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/aws/bin
export PATH
