

import migrations_app.lifecycle
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ControlPlane',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='run',
            name='run_status_known',
        ),
        migrations.AddField(
            model_name='lane',
            name='carry',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='run',
            name='wait_verdict',
            field=models.CharField(blank=True, default='', max_length=8),
        ),
        migrations.AlterField(
            model_name='run',
            name='status',
            field=models.CharField(choices=[(migrations_app.lifecycle.RunStatus['ENQUEUED'], 'enqueued'), (migrations_app.lifecycle.RunStatus['RUNNING'], 'running'), (migrations_app.lifecycle.RunStatus['PAUSING'], 'pausing'), (migrations_app.lifecycle.RunStatus['PAUSED'], 'paused'), (migrations_app.lifecycle.RunStatus['ABORTING'], 'aborting'), (migrations_app.lifecycle.RunStatus['ABORTED'], 'aborted'), (migrations_app.lifecycle.RunStatus['ERRORED'], 'errored'), (migrations_app.lifecycle.RunStatus['FAILED'], 'failed'), (migrations_app.lifecycle.RunStatus['SUCCEEDED'], 'succeeded')], default=migrations_app.lifecycle.RunStatus['ENQUEUED'], max_length=16),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', [migrations_app.lifecycle.RunStatus['ENQUEUED'], migrations_app.lifecycle.RunStatus['RUNNING'], migrations_app.lifecycle.RunStatus['PAUSING'], migrations_app.lifecycle.RunStatus['PAUSED'], migrations_app.lifecycle.RunStatus['ABORTING'], migrations_app.lifecycle.RunStatus['ABORTED'], migrations_app.lifecycle.RunStatus['ERRORED'], migrations_app.lifecycle.RunStatus['FAILED'], migrations_app.lifecycle.RunStatus['SUCCEEDED']])), name='run_status_known'),
        ),
        migrations.AddConstraint(
            model_name='controlplane',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='control_plane_once'),
        ),
    ]
